"""Templates of every construct that public ones have: what becomes of it, and what is named as ignored."""

# ruff: noqa: E501 - templates are as they are
from __future__ import annotations

import contextlib
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from relive_platform.registry.application import Application, ConfigError, FunctionConfig, Given, load
from relive_platform.registry.application.manifest import read_document
from relive_platform.registry.application.written import to_toml
from relive_platform.resources.queue.config import QueueConfig
from relive_platform.triggers.bucket.config import BucketTrigger
from relive_platform.triggers.bus.config import BusTrigger
from relive_platform.triggers.destinations.config import Destination
from relive_platform.triggers.http.config import HttpTrigger
from relive_platform.triggers.pull.kafka.config import KafkaTrigger
from relive_platform.triggers.queue.config import QueueTrigger
from relive_platform.triggers.records.config import LogsTrigger
from relive_platform.triggers.timer.config import TimerTrigger

Load = Callable[..., Application]


@pytest.fixture
def read(tmp_path: Path) -> Load:
    """Write a template beside `src/app.py` and load it. `body`: what stands below Resources."""
    folder = tmp_path / "shop"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "app.py").write_text("def handler(event, context): ...\n")

    def put(body: str, head: str = "", name: str = "template.yaml", **options: object) -> Application:
        text = textwrap.dedent(head) + "Resources:\n" + textwrap.indent(textwrap.dedent(body), "  ")
        (folder / name).write_text(text)
        return load(folder / name, None, Given(**options))  # type: ignore[arg-type]

    return put


def function(more: str = "", kind: str = "AWS::Serverless::Function") -> str:
    """A function F; `more` are further properties."""
    return (
        f"F:\n  Type: {kind}\n  Properties:\n    CodeUri: src/\n    Handler: app.handler\n"
        + textwrap.indent(textwrap.dedent(more), "    ")
    )


def only(application: Application) -> FunctionConfig:
    (config,) = application.functions.values()
    return config


def ignored(application: Application) -> set[tuple[int, str]]:
    """Lines and last keys of what is ignored and would matter."""
    return {(note.line, note.key.split(".")[-1]) for note in application.ignored if not note.describes}


def test_a_function_with_globals(read: Load) -> None:
    # Given Globals and a function's own properties
    head = """\
    Transform: AWS::Serverless-2016-10-31
    Globals:
      Function:
        Timeout: 12
        MemorySize: 512
        Environment:
          Variables: {STAGE: dev, LOG: info}
    """
    own = "MemorySize: 256\nEnvironment:\n  Variables: {LOG: debug, ON: true, N: 7}\nReservedConcurrentExecutions: 2\n"
    # When it is read
    config = only(read(function(own), head))
    # I expect them merged as SAM does: by key, the function's own values first
    assert (config.name, config.handler, config.timeout_s, config.memory_mb) == ("F", "app:handler", 12, 256)
    assert config.environment == {"STAGE": "dev", "LOG": "debug", "ON": "true", "N": "7"}
    assert config.reserved_concurrency == 2


def test_references_and_texts(read: Load) -> None:
    # Given every function of CloudFormation's that gives a text
    head = """\
    Parameters:
      Stage: {Type: String, Default: dev}
      Zones: {Type: CommaDelimitedList, Default: 'a, b'}
    Mappings:
      Sizes: {dev: {size: small}, prod: {size: large}}
    """
    body = (
        function("""\
    FunctionName: !Sub "${Stage}-orders"
    Environment:
      Variables:
        REF: !Ref Stage
        LONG: {Ref: Stage}
        QUEUE: !Ref Jobs
        ARN: !GetAtt Jobs.Arn
        NAME: !GetAtt [Jobs, QueueName]
        SUB: !Sub "${AWS::Region}/${Jobs.Arn}/${!Literal}"
        SUB2: !Sub ["${A}-${Stage}", {A: !Ref AWS::AccountId}]
        JOIN: !Join ["-", [x, !Ref Stage]]
        SELECT: !Select [1, !Ref Zones]
        SPLIT: !Select [2, !Split [":", "a:b:c"]]
        MAP: !FindInMap [Sizes, !Ref Stage, size]
        FALLBACK: !FindInMap [Sizes, other, size, {DefaultValue: none}]
        B64: !Base64 abc
        JSON: {"Fn::ToJsonString": {a: [1, !Ref Stage]}}
        GONE: !Ref AWS::NoValue
    """)
        + "Jobs:\n  Type: AWS::SQS::Queue\n  Properties: {QueueName: jobs}\n"
    )
    # When it is read
    config = only(read(body, head))
    # I expect what CloudFormation would give, and no GONE
    assert config.name == "dev-orders"
    arn = "${resources.jobs.arn}"
    assert config.environment == {
        "REF": "dev", "LONG": "dev", "ARN": arn, "NAME": "${resources.jobs.name}",
        "QUEUE": "${resources.jobs.url}",
        "SUB": f"us-east-1/{arn}/${{Literal}}", "SUB2": "000000000000-dev", "JOIN": "x-dev", "SELECT": "b",
        "SPLIT": "c", "MAP": "small", "FALLBACK": "none", "B64": "YWJj", "JSON": '{"a":[1,"dev"]}',
    }  # fmt: skip


def test_conditions(read: Load) -> None:
    head = """\
    Parameters:
      Stage: {Type: String, Default: dev, AllowedValues: [dev, prod]}
    Conditions:
      IsProd: !Equals [!Ref Stage, prod]
      IsDev: !Not [!Condition IsProd]
      Both: !And [!Condition IsProd, !Condition IsDev]
      Either: !Or [!Condition IsProd, !Condition IsDev]
    """
    body = (
        function("""\
    Timeout: !If [IsProd, 30, 5]
    MemorySize: !If [Both, 512, !Ref AWS::NoValue]
    """)
        + "G:\n  Type: AWS::Serverless::Function\n  Condition: IsProd\n  Properties: {CodeUri: src, Handler: app.handler}\n"
    )
    # Given conditions on a parameter, when it is one and the other, I expect one and the other
    assert {name: config.timeout_s for name, config in read(body, head).functions.items()} == {"F": 5}
    prod = read(body, head, parameters={"Stage": "prod"})
    assert {name: config.timeout_s for name, config in prod.functions.items()} == {"F": 30, "G": 3}


def test_routes_and_timers(read: Load) -> None:
    body = function("""\
    Events:
      Rest: {Type: Api, Properties: {Path: "/a/{id}", Method: get}}
      Http: {Type: HttpApi, Properties: {Path: /b, Method: ANY, PayloadFormatVersion: "1.0"}}
      All: {Type: HttpApi}
      Tick: {Type: Schedule, Properties: {Schedule: rate(5 minutes), Input: '{"x": 1}'}}
      Night: {Type: ScheduleV2, Properties: {ScheduleExpression: "cron(0 3 * * ? *)", ScheduleExpressionTimezone: Europe/Berlin}}
      Off: {Type: Schedule, Properties: {Schedule: rate(1 hour), Enabled: false}}
      Once: {Type: ScheduleV2, Properties: {ScheduleExpression: at(2030-01-01T00:00:00)}}
      Stream: {Type: Kinesis, Properties: {Stream: arn, StartingPosition: LATEST}}
    """)
    application = read(body)
    config = only(application)
    assert config.triggers == (
        HttpTrigger(path="/a/{id}", methods=("GET",), payload="1.0"),
        HttpTrigger(path="/b", payload="1.0"),
        HttpTrigger(path="/"),
        HttpTrigger(path="/{proxy+}"),
        TimerTrigger(schedule="rate(5 minutes)", event='{"x": 1}'),
        TimerTrigger(schedule="cron(0 3 * * ? *)", time_zone="Europe/Berlin"),
    )
    assert ignored(application) == {(14, "ScheduleExpression"), (15, "Type")}


def test_kafka(read: Load) -> None:
    # Given topics of a Kafka of one's own and of Amazon MSK
    body = function("""\
        Events:
          Own: {Type: SelfManagedKafka, Properties: {Topics: [orders], KafkaBootstrapServers: ["a:9092", "b:9092"], BatchSize: 5, StartingPosition: LATEST, ConsumerGroupId: g}}
          Msk: {Type: MSK, Properties: {Topics: [news], Stream: "arn:aws:kafka:eu-west-1:1:cluster/c", MaximumBatchingWindowInSeconds: 2, StartingPosition: AT_TIMESTAMP}}
          Off: {Type: MSK, Properties: {Topics: [news], Stream: x, Enabled: false}}
        """)
    # I expect kafka triggers, and what has no effect by name
    application = read(body)
    assert only(application).triggers == (
        KafkaTrigger(
            url="kafka://a:9092,b:9092", topics=("orders",), batch_size=5, start="newest", group="g"
        ),
        KafkaTrigger(url="env:KAFKA_URL", topics=("news",), batch_window_s=2),
    )
    assert {key for _, key in ignored(application)} >= {"StartingPosition", "Stream"}


def test_queues_and_buses(read: Load) -> None:
    # Given queues with dead letters, and functions that take from them and from a bus
    body = function("""\
        Environment: {Variables: {URL: !Ref Jobs}}
        Events:
          Jobs: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn, BatchSize: 5, MaximumBatchingWindowInSeconds: 2, FunctionResponseTypes: [ReportBatchItemFailures], KmsKey: x}}
          Theirs: {Type: SQS, Properties: {Queue: arn:aws:sqs:eu-west-1:1:theirs}}
          Off: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn, Enabled: false}}
          Placed: {Type: EventBridgeRule, Properties: {EventBusName: !Ref News, Pattern: {source: [shop], detail: {total: [{numeric: [">", 5]}]}}}}
        """) + textwrap.dedent("""\
        Jobs:
          Type: AWS::SQS::Queue
          Properties:
            QueueName: jobs.fifo
            FifoQueue: true
            VisibilityTimeout: 60
            RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
            KmsMasterKeyId: x
        Dead: {Type: AWS::SQS::Queue, Properties: {QueueName: dead.fifo, FifoQueue: true}}
        News: {Type: AWS::Events::EventBus, Properties: {Name: news}}
        Map: {Type: AWS::Lambda::EventSourceMapping, Properties: {FunctionName: !Ref F, EventSourceArn: !GetAtt Dead.Arn, BatchSize: 1}}
        Rule: {Type: AWS::Events::Rule, Properties: {EventPattern: {source: [x]}, Targets: [{Arn: !GetAtt F.Arn, Id: a, InputPath: $.detail}]}}
        """)
    # When it is read
    application = read(body)
    # I expect resources, batches of them, and what has no effect by name
    config = only(application)
    triggers = [
        (
            trigger.queue,
            trigger.batch_size,
            trigger.batch_window_s,
            trigger.report_batch_item_failures,
            trigger.batched,
        )
        for trigger in config.triggers
        if isinstance(trigger, QueueTrigger)
    ]
    assert triggers == [
        ("jobs", 5, 2, True, True),
        ("theirs", 10, 0, False, True),
        ("dead", 1, 0, False, True),
    ]
    buses = [
        (trigger.bus, trigger.document()) for trigger in config.triggers if isinstance(trigger, BusTrigger)
    ]
    assert buses == [
        ("news", {"source": ["shop"], "detail": {"total": [{"numeric": [">", 5]}]}}),
        ("default", {"source": ["x"]}),
    ]
    jobs = application.resources["jobs"]
    assert isinstance(jobs, QueueConfig)
    assert (jobs.fifo, jobs.visibility_timeout_s, jobs.dead_letter, jobs.max_receive_count) == (
        True,
        60,
        "dead",
        3,
    )
    assert config.environment == {"URL": "${resources.jobs.url}"}
    names = {name for _, name in ignored(application)}
    assert names >= {"KmsKey", "KmsMasterKeyId", "InputPath", "F"}


def test_buckets_logs_destinations_and_concurrency(read: Load) -> None:
    body = function("""\
        ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: 2}
        EventInvokeConfig:
          DestinationConfig:
            OnSuccess: {Type: SQS, Destination: !GetAtt Done.Arn}
            OnFailure: {Type: SNS, Destination: arn:aws:sns:x:1:topic}
        Events:
          Up:
            Type: S3
            Properties:
              Bucket: !Ref Files
              Events: ["s3:ObjectCreated:*", "s3:ReducedRedundancyLostObject"]
              Filter: {S3Key: {Rules: [{Name: prefix, Value: in/}, {Name: suffix, Value: .png}]}}
          Lines: {Type: CloudWatchLogs, Properties: {LogGroupName: /aws/lambda/G, FilterPattern: ERROR}}
          Other: {Type: CloudWatchLogs, Properties: {LogGroupName: /var/log/x}}
        """) + textwrap.dedent("""\
        G: {Type: AWS::Serverless::Function, Properties: {CodeUri: src, Handler: app.handler}}
        Files: {Type: AWS::S3::Bucket, Properties: {BucketName: files}}
        Done: {Type: AWS::SQS::Queue}
        Told:
          Type: AWS::S3::Bucket
          Properties:
            NotificationConfiguration: {LambdaConfigurations: [{Event: "s3:ObjectRemoved:Delete", Function: !GetAtt G.Arn}]}
        """)
    application = read(body)
    config, other = application.functions["F"], application.functions["G"]
    assert config.min_workers == 2
    assert config.on_success == Destination(queue="Done")
    assert config.on_failure is None
    assert config.triggers == (
        BucketTrigger(bucket="files", events=("ObjectCreated:*",), prefix="in/", suffix=".png"),
        LogsTrigger(functions=("G",), filter="ERROR"),
    )
    assert other.triggers == (BucketTrigger(bucket="Told", events=("ObjectRemoved:*",)),)
    assert {name for _, name in ignored(application)} == {"OnFailure", "Events", "LogGroupName"}


def test_pages_of_other_origins(read: Load) -> None:
    head = """\
    Globals:
      HttpApi: {CorsConfiguration: {AllowOrigins: ["https://a.example"], AllowMethods: [GET], MaxAge: 60}}
      Api: {Cors: {AllowOrigin: "'*'", AllowHeaders: "'x-a,x-b'"}}
    """
    http = only(read(function("Events: {E: {Type: HttpApi, Properties: {Path: /a, Method: get}}}\n"), head))
    assert http.cors is not None
    assert (http.cors.origins, http.cors.methods, http.cors.max_age_s) == (
        ("https://a.example",),
        ("GET",),
        60,
    )
    rest = only(read(function("Events: {E: {Type: Api, Properties: {Path: /a, Method: get}}}\n"), head))
    assert rest.cors is not None
    assert (rest.cors.origins, rest.cors.headers) == (("*",), ("x-a", "x-b"))
    url = only(
        read(function("FunctionUrlConfig: {AuthType: NONE, Cors: {AllowOrigins: ['https://b.example']}}\n"))
    )
    assert url.cors is not None
    assert url.cors.origins == ("https://b.example",)


def test_routes_of_an_openapi_document(read: Load, tmp_path: Path) -> None:
    text = """\
    openapi: 3.0.1
    paths:
      /things/{id}:
        get:
          x-amazon-apigateway-integration:
            uri: !Sub "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${F.Arn}/invocations"
        x-amazon-apigateway-any-method:
          x-amazon-apigateway-integration: {uri: "arn:aws:apigateway:x:sqs:path/q"}
    """
    (tmp_path / "shop" / "api.yaml").write_text(textwrap.dedent(text))
    body = function() + (
        "A:\n  Type: AWS::Serverless::Api\n  Properties:\n    StageName: v1\n"
        "    DefinitionBody: {'Fn::Transform': {Name: AWS::Include, Parameters: {Location: api.yaml}}}\n"
    )
    application = read(body)
    assert only(application).triggers == (HttpTrigger(path="/things/{id}", methods=("GET",), payload="1.0"),)
    assert {name for _, name in ignored(application)} == {"x-amazon-apigateway-any-method"}
    outside = read(body.replace("api.yaml", "../api.yaml"))
    assert {name for _, name in ignored(outside)} == {"DefinitionBody"}


def test_plain_cloudformation(read: Load) -> None:
    # Given functions, rules, schedules, URLs and configurations of their own types
    body = """\
    F:
      Type: AWS::Lambda::Function
      Properties:
        Code: src
        Handler: app.handler
        Runtime: python3.11
        Role: !GetAtt R.Arn
    R: {Type: AWS::IAM::Role}
    Rule:
      Type: AWS::Events::Rule
      Properties:
        ScheduleExpression: rate(1 day)
        Targets: [{Arn: !GetAtt F.Arn, Id: t, Input: '{"daily": true}'}, {Arn: arn:aws:sqs:x:y:z, Id: u}]
    Later:
      Type: AWS::Scheduler::Schedule
      Properties: {ScheduleExpression: rate(2 hours), FlexibleTimeWindow: {Mode: "OFF"}, Target: {Arn: !GetAtt F.Arn, RoleArn: r}}
    Url: {Type: AWS::Lambda::Url, Properties: {TargetFunctionArn: !Ref F, AuthType: NONE}}
    Tries: {Type: AWS::Lambda::EventInvokeConfig, Properties: {FunctionName: !Ref F, Qualifier: $LATEST, MaximumRetryAttempts: 1, MaximumEventAgeInSeconds: 90}}
    """
    application = read(body)
    config = only(application)
    assert config.triggers == (
        TimerTrigger(schedule="rate(1 day)", event='{"daily": true}'),
        TimerTrigger(schedule="rate(2 hours)"),
    )
    assert (config.retries, config.max_age_s) == (1, 90)
    assert {name for _, name in ignored(application)} >= {"Role", "R", "1"}


def test_code_in_the_template_and_layers(read: Load, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    (folder / "layer" / "python").mkdir(parents=True)
    body = """\
    F:
      Type: AWS::Serverless::Function
      Properties:
        InlineCode: |
          import boto3
          def handler(event, context):
              return 1
        Handler: index.handler
        Layers:
          - !Ref Tools
          - arn:aws:lambda:us-east-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python311-x86_64:4
          - arn:aws:lambda:us-east-1:1:layer:theirs:1
    Tools:
      Type: AWS::Serverless::LayerVersion
      Properties: {ContentUri: layer/}
    """
    application = read(body)
    config = only(application)
    assert config.code == "import boto3\ndef handler(event, context):\n    return 1\n"
    assert config.layers == ("layer",)
    assert config.extra_dependencies == ("aws-lambda-powertools[all]>=3,<4", "boto3")
    assert ignored(application) == {(13, "2")}


def test_what_the_runtime_has(read: Load, tmp_path: Path) -> None:
    source = tmp_path / "shop" / "src"
    (source / "app.py").write_text("import os\nimport boto3\ndef handler(event, context): ...\n")
    assert only(read(function())).extra_dependencies == ("boto3",)
    for text in ("import os as o, json,boto3", "if True: import boto3", "import os; import botocore.config"):
        (source / "app.py").write_text(f"{text}\ndef handler(event, context): ...\n")
        assert only(read(function())).extra_dependencies == ("boto3",), text
    for text in ("import boto3x", "x = 1; boto3 = 2", "# from boto3", "from .boto3 import x"):
        (source / "app.py").write_text(f"{text}\ndef handler(event, context): ...\n")
        assert only(read(function())).extra_dependencies == (), text
    (source / "app.py").write_text("import os\nimport boto3\ndef handler(event, context): ...\n")
    (source / "requirements.txt").write_text("boto3==1.40\n")
    assert only(read(function())).extra_dependencies == ()


def test_what_cannot_run_is_refused_in_clear_words(read: Load) -> None:
    for more, said in (
        ("PackageType: Image\n", "Relive runs code, not container images"),
        ("ImageUri: x\n", "Relive runs code, not container images"),
        ("CodeUri: s3://bucket/key\n", "the code is not on this machine, but in S3"),
        ("Timeout: soon\n", "'soon' is not a whole number"),
        ("FunctionName: 'a b'\n", "the function's name 'a b' is not allowed"),
        ("Environment: {Variables: {A: !Ref P}}\n", "it has no value"),
        ("Timeout: !If [Nothing, 1, 2]\n", "there is no condition 'Nothing'"),
        ("Timeout: !Select [5, [a]]\n", "there is no item 5"),
        ("Environment: {Variables: {A: !FindInMap [M, a, b]}}\n", "Mappings has no M.a.b"),
        ("Events: {E: {Properties: {}}}\n", "the event has no Type"),
        ("CodeUri: ../..\n", "is outside the application"),
    ):
        body = function(more)
        if more.startswith("CodeUri"):
            body = body.replace("    CodeUri: src/\n", "", 1)
        with pytest.raises(ConfigError, match=r"template\.yaml:") as caught:
            read(body, "Parameters: {P: {Type: String}}\n")
        assert said in str(caught.value)


def test_a_template_is_named_from_another_folder(
    read: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an application that is called from a folder beside it, or by a link
    read(function())
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "shop")
    monkeypatch.chdir(tmp_path / "other")
    for folder, name in (("../shop", "shop"), ("../link", "link"), ("../shop/src/..", "shop")):
        # I expect its name to be the folder's
        assert load(Path(folder) / "template.yaml").name in (name, "shop")
        # When a source is not there, I expect that to be said, with what is near
        for source, said in (("sra", "did you mean src?"), ("!Ref F", "correct the path")):
            body = function().replace("src/", source)
            (tmp_path / "shop" / "wrong.yaml").write_text("Resources:\n" + textwrap.indent(body, "  "))
            with pytest.raises(ConfigError, match=r"does not exist") as caught:
                load(Path(folder) / "wrong.yaml")
            assert said in str(caught.value)


def test_links_are_followed_before_dots_only(
    read: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an application that is reached by a link, and one whose file is a link
    read(function())
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "shop")
    (tmp_path / "deep").symlink_to(tmp_path / "shop" / "src")
    shutil.copytree(tmp_path / "shop" / "src", tmp_path / "mine" / "src")
    (tmp_path / "mine" / "template.yaml").symlink_to(tmp_path / "shop" / "template.yaml")
    monkeypatch.chdir(tmp_path / "other")
    # I expect the names and folders that were given; `..` leads where the system has it lead
    for folder, name in (("../link", "link"), ("../mine", "mine"), ("../deep/..", "shop")):
        found = load(Path(folder) / "template.yaml")
        assert (found.name, found.root) == (name, tmp_path / name)


def test_places_that_cannot_be_are_problems_of_the_file(read: Load, tmp_path: Path) -> None:
    (tmp_path / "shop" / "loop").symlink_to("loop")
    layer = "L: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: %s}}\n"
    for text, said in (
        ("a" * 400, "name too long"),
        ("a" * 400 + ".py", "name too long"),
        ('"a\\0b"', "null"),
        ("loop", "loop"),
    ):
        for body in (function().replace("src/", text), function("Layers: [!Ref L]\n") + layer % text):
            with pytest.raises(ConfigError) as caught:
                read(body)
            assert said in str(caught.value).lower().replace("symlink loop", "loop")


def test_strict_makes_errors_of_what_is_ignored(read: Load) -> None:
    body = function("Policies: [AWSLambdaExecute]\nTags: {a: b}\nVpcConfig: {SubnetIds: [x]}\n")
    assert {name for _, name in ignored(read(body))} == {"Policies", "VpcConfig"}
    with pytest.raises(ConfigError) as caught:
        read(body, strict=True)
    assert [problem.line for problem in caught.value.problems] == [7, 9]


def test_other_runtimes_are_left_out_by_name(read: Load) -> None:
    body = (
        function()
        + "N:\n  Type: AWS::Serverless::Function\n  Properties: {CodeUri: src, Handler: x.y, Runtime: ruby3.3}\n"
    )
    application = read(body)
    assert list(application.functions) == ["F"]
    assert (9, "Runtime") in ignored(application)
    with pytest.raises(ConfigError, match="no function of it can be deployed"):
        read(function("Runtime: ruby3.3\n"))


def test_programs_of_other_languages_are_custom(read: Load, tmp_path: Path) -> None:
    for name, mode in (("index.mjs", 0o644), ("bootstrap", 0o755)):
        file = tmp_path / "shop" / "src" / name
        file.write_text("#!/bin/sh")
        file.chmod(mode)

    application = read(
        """
        Web:
          Type: AWS::Serverless::Function
          Properties: {CodeUri: src, Handler: index.handler, Runtime: nodejs22.x}
        Orders:
          Type: AWS::Serverless::Function
          Properties: {CodeUri: src, Handler: bootstrap, Runtime: provided.al2023}
        """
    )

    found = [(one.kind, one.runtime, one.handler) for one in application.functions.values()]
    assert found == [("custom", "nodejs", "index.handler"), ("custom", "provided", "bootstrap")]


def test_parameters_of_samconfig(read: Load, tmp_path: Path) -> None:
    config = """\
    version = 0.1
    [default.global.parameters]
    stack_name = "my stack"
    region = "eu-west-1"
    [default.deploy.parameters]
    parameter_overrides = "Stage=test Name='two words' Unknown=1"
    [prod.deploy.parameters]
    parameter_overrides = ["Stage=prod"]
    """
    (tmp_path / "shop" / "samconfig.toml").write_text(textwrap.dedent(config))
    head = "Parameters:\n  Stage: {Type: String}\n  Name: {Type: String, Default: none}\n"
    body = function("Environment: {Variables: {A: !Sub '${Stage} ${Name} ${AWS::Region}'}}\n")
    application = read(body, head)
    assert application.name == "my-stack"
    assert only(application).environment == {"A": "test two words eu-west-1"}
    assert only(read(body, head, config_env="prod")).environment == {"A": "prod none us-east-1"}
    assert only(read(body, head, parameters={"Stage": "mine"})).environment["A"].startswith("mine two")
    with pytest.raises(ConfigError, match="no environment 'qa'"):
        read(body, head, config_env="qa")


def test_a_template_in_json(read: Load, tmp_path: Path) -> None:
    text = '{"Resources": {"F": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "src",\t"Handler": "app.handler"}}}}'
    (tmp_path / "shop" / "template.json").write_text(text)
    assert list(load(tmp_path / "shop").functions) == ["F"]


def test_what_import_writes_is_the_same_application(read: Load, tmp_path: Path) -> None:
    # Given a template with quotes, backslashes, other scripts and control characters in its texts
    body = function("""\
    FunctionName: odd
    Policies: [A]
    Environment: {Variables: {A: 'x"y\\z', B: "\\u263a \\u007f \\t", C: "two\\nlines"}}
    Events:
      Http: {Type: HttpApi, Properties: {Path: "/b/{id}", Method: get}}
      Tick: {Type: Schedule, Properties: {Schedule: rate(5 minutes), Input: '{"x": "é"}'}}
    """)
    application = read(body)
    folder = tmp_path / "shop"
    # When it is written as a relive.toml
    (folder / "relive.toml").write_text(to_toml(read_document(folder / "template.yaml", Given())))
    # I expect the same functions of it, and what was ignored in a comment
    assert load(folder / "relive.toml").functions == application.functions
    assert "# Not in it:\n#   line 8: Resources.F.Properties.Policies" in (folder / "relive.toml").read_text()


BOMB = "a: &a [x]\n" + "\n".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Resources: [", "it is not valid YAML"),
        ("- a\n", "it is not a mapping"),
        ("a: 1\n", "it has no Resources"),
        ("Resources: {}\n", "it has no function"),
        ("Resources: &a {F: *a}\n", "an alias leads to what it lies in"),
        ("Resources: " + "[" * 500 + "]" * 500, "nested too deeply"),
        ("Resources: !!python/object/apply:os.system ['true']\n", "it has no Resources"),
        (
            f"{BOMB}\nResources: {{F: {{Type: AWS::Serverless::Function, Properties: {{Handler: a.b, Environment: {{Variables: {{A: *i}}}}}}}}}}\n",
            "unfolds to more than 100000 values",
        ),
        (
            "Conditions: {A: !Condition B, B: !Condition A}\nResources: {F: {Type: X, Condition: A}}\n",
            "refers to itself",
        ),
        (
            "Resources: {F: {Type: AWS::Serverless::Function, Properties: {FunctionName: !Ref F, Handler: a.b, CodeUri: nowhere}}}\n",
            "does not exist",
        ),
    ],
)
def test_hostile_templates_are_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "template.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert said in str(caught.value)


def test_a_text_that_would_fill_the_memory_is_refused(read: Load) -> None:
    # Given a parameter of 300 KB and a Sub that has it a thousand times
    head = f"Parameters: {{P: {{Type: String, Default: '{'x' * 300_000}'}}}}\n"
    with pytest.raises(ConfigError, match="over 1 MiB"):
        read(function(f"Environment: {{Variables: {{A: !Sub '{'${P}' * 1000}'}}}}\n"), head)


def test_merge_keys(read: Load, tmp_path: Path) -> None:
    head = "X: &common {Handler: app.handler, Timeout: 7}\nY: &more {Timeout: 9, MemorySize: 128}\n"
    body = "F: {Type: AWS::Serverless::Function, Properties: {<<: [*common, *more], CodeUri: src, MemorySize: 512}}\n"
    config = only(read(body, head))
    assert (config.handler, config.timeout_s, config.memory_mb) == ("app:handler", 7, 512)
    # And they are no way to fill the memory
    lines = ["a0: &a0 {k: v}"] + [
        f"a{n + 1}: &a{n + 1} {{<<: [{', '.join([f'*a{n}'] * 9)}]}}" for n in range(9)
    ]
    with pytest.raises(ConfigError, match="unfolds to more than"):
        read(function(), "\n".join(lines) + "\n")


def test_a_pattern_that_takes_for_ever_is_not_run(read: Load) -> None:
    # Given a parameter whose pattern needs ages for its value
    head = "Parameters: {P: {Type: String, AllowedPattern: '(a|a)*b', Default: '%s'}}\n" % ("a" * 60)
    # I expect the deploy to go on without it; a simple one is checked
    assert read(function("Environment: {Variables: {A: !Ref P}}\n"), head)
    with pytest.raises(ConfigError, match="does not match"):
        read(
            function("Environment: {Variables: {A: !Ref P}}\n"),
            "Parameters: {P: {Type: String, AllowedPattern: '[a-z]+', Default: X1}}\n",
        )


KEYS = st.sampled_from(
    ["Resources", "Globals", "Parameters", "Conditions", "Mappings", "Type", "Properties", "F", "Ref", "Fn::Sub",
     "Fn::GetAtt", "Fn::If", "Fn::Join", "Fn::Select", "Events", "Environment", "Variables", "Handler", "CodeUri",
     "Layers", "Function", "Condition", "DefinitionBody", "paths", "Cors"]
)  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=5),
    st.sampled_from(["AWS::Serverless::Function", "AWS::Serverless::Api", "app.handler", "src", "${F}", "${F.Arn}", "F", "Api"]),
)  # fmt: skip
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=20,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    resources=st.dictionaries(st.sampled_from(["F", "G"]), TREES, min_size=1),
    rest=st.dictionaries(KEYS, TREES, max_size=3),
)
def test_whatever_a_template_says_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, resources: dict[str, object], rest: dict[str, object]
) -> None:
    import yaml

    file = tmp_path_factory.getbasetemp() / "template.yaml"
    file.write_text(yaml.safe_dump({**rest, "Resources": resources}))
    with contextlib.suppress(ConfigError):
        load(file)
