"""Lines of deployed code, as they are shown: without secrets, as scenes have them."""

from __future__ import annotations

from relive_views.deployed import DeployedCode

CODE = """def handler(event, context):
    work(); password="hunter2lit"
    call("http://shop/?token=sk_live_51H8a")  # iban="DE021203"
"""
SHOWN = """def handler(event, context):
    work(); password="[redacted]"
    call("http://shop/?token=[redacted]")  # iban="[redacted]"
"""


def test_lines_of_deployed_code_are_shown_without_secrets(registry, write, tmp_path) -> None:
    # Given a deployed function with literals that are secret by names of ours, and of its own
    registry.deploy(write(f=(CODE, 'redact = ["iban"]')))
    deployed = DeployedCode(tmp_path / "home")

    # I expect none in a line (why-slow, trace, agents), nor in the file (the flame page of the terminal UI)
    line = deployed.line_of("f", 1)
    assert [line("main.py", number) for number in (1, 2, 3)] == SHOWN.splitlines()
    assert list(deployed.lines("f", "main.py"))[:3] == SHOWN.splitlines()
