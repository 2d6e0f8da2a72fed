"""Which properties of a function in a template have no effect here, and what is said of each."""

from __future__ import annotations

from typing import Final

__all__ = ["DESCRIBING", "DESCRIBING_ATTRIBUTES", "OTHERS", "WITHOUT_EFFECT"]

_PERMISSIONS: Final = ("Relive gives no permissions in AWS", "pass credentials in the environment")

WITHOUT_EFFECT: Final = {
    "Policies": _PERMISSIONS,
    "Role": _PERMISSIONS,
    "PermissionsBoundary": _PERMISSIONS,
    "AssumeRolePolicyDocument": _PERMISSIONS,
    "RolePath": _PERMISSIONS,
    "VpcConfig": ("the network is that of the machine", ""),
    "KmsKeyArn": ("variables are not encrypted", ""),
    "FileSystemConfigs": ("no file system is mounted", ""),
    "EphemeralStorage": ("the size of /tmp is the server's", "set RELIVE_TMP_MB"),
    "LoggingConfig": ("logs are kept as they are", "read them: relive logs FN"),
    "DeadLetterQueue": ("events that failed are kept", "list them: relive events --state dead"),
    "DeadLetterConfig": ("events that failed are kept", "list them: relive events --state dead"),
    "DeploymentPreference": ("a deploy puts all of a version into service at once", ""),
    "CodeSigningConfigArn": ("signatures of code are not checked", ""),
    "RuntimeManagementConfig": ("the interpreter is the server's", ""),
    "RecursiveLoop": ("calls between functions have a depth limit", "set RELIVE_CALL_DEPTH"),
    "TenancyConfig": ("workers are of one function, not of a tenant", ""),
    "DurableConfig": ("durable executions are not known here", ""),
    "CapacityProviderConfig": ("workers run on the server's machine", ""),
}

DESCRIBING: Final = {
    "Description": "a description",
    "Tags": "Relive has no tags",
    "PropagateTags": "Relive has no tags",
    "Tracing": "every invocation is traced",
    "TracingConfig": "every invocation is traced",
    "SnapStart": "every worker is forked from a warm process",
    "AutoPublishAlias": "events go to the newest version",
    "AutoPublishCodeSha256": "a changed version is known by its code",
    "AutoPublishAliasAllProperties": "a changed version is known by its code and configuration",
    "VersionDescription": "a description",
    "VersionDeletionPolicy": "versions are kept",
    "PublishToLatestPublished": "events go to the newest version",
    "SourceKMSKeyArn": "the code is on this machine",
}

DESCRIBING_ATTRIBUTES: Final = ("DeletionPolicy", "UpdateReplacePolicy", "DependsOn", "UpdatePolicy")
"""Of a resource, beside its properties."""

_NO_IAM: Final = ("Relive has no IAM", "pass credentials in the environment")
_LOGS: Final = ("logs are kept by retention, not by group", "set RELIVE_RETENTION_DAYS")

OTHERS: Final = {
    "AWS::IAM::Role": _NO_IAM,
    "AWS::IAM::Policy": _NO_IAM,
    "AWS::IAM::ManagedPolicy": _NO_IAM,
    "AWS::IAM::InstanceProfile": _NO_IAM,
    "AWS::Lambda::Permission": _NO_IAM,
    "AWS::SQS::QueuePolicy": _NO_IAM,
    "AWS::SNS::TopicPolicy": _NO_IAM,
    "AWS::S3::BucketPolicy": _NO_IAM,
    "AWS::Events::EventBusPolicy": _NO_IAM,
    "AWS::Lambda::LayerVersionPermission": _NO_IAM,
    "AWS::Logs::LogGroup": _LOGS,
    "AWS::Lambda::Version": ("each deploy makes a version", ""),
    "AWS::ApiGateway::Deployment": ("routes are in service with their functions", ""),
}
"""Types of resources that have nothing to do here."""
