from __future__ import annotations

from relive_profiler.explore.source import SourceLines, source_line


def test_lines_come_from_the_versions_folder(tmp_path):
    (tmp_path / "code" / "shop").mkdir(parents=True)
    (tmp_path / "code" / "shop" / "cart.py").write_text("def total():\n    return 1\n")
    (tmp_path / "deps" / "lib").mkdir(parents=True)
    (tmp_path / "deps" / "lib" / "api.py").write_text("import x\n")
    lines = SourceLines(str(tmp_path / "code"), str(tmp_path / "deps"))
    assert lines.line("shop/cart.py", 2) == "    return 1"
    assert lines.line("site-packages/lib/api.py", 1) == "import x"
    assert lines.around("shop/cart.py", 1, 5) == [(1, "def total():"), (2, "    return 1")]
    assert source_line("shop/cart.py", 1, code_dir=str(tmp_path / "code")) == "def total():"
    assert lines.line("shop/cart.py", 3) == lines.line("shop/cart.py", 0) == lines.line("none.py", 1) == ""


def test_nothing_outside_of_the_folders_is_read(tmp_path):
    code = tmp_path / "code"
    code.mkdir()
    secret = tmp_path / "secret.py"
    secret.write_text("token = 1\n")
    (code / "link.py").symlink_to(secret)
    lines = SourceLines(str(code))
    for name in ("../secret.py", str(secret), "link.py", "site-packages/../secret.py", "a\0b", "", "."):
        assert lines.line(name, 1) == ""


def test_long_lines_and_other_encodings_are_bounded(tmp_path):
    (tmp_path / "x.py").write_bytes(b"x = '" + b"\xff" * 10_000 + b"'\n")
    assert len(source_line("x.py", 1, code_dir=str(tmp_path))) == 500


def test_lines_come_without_the_secrets_of_their_literals_and_comments(tmp_path):
    (tmp_path / "x.py").write_text(
        'time.sleep(s); password="hunter2lit"\n'
        'get("http://shop/?token=sk_live_51H8a")\n'
        'work()  # password="hunter2lit"\n'
        'TEXT = """\n'
        "iban = DE02120300000000202051\n"
        '"""\n'
        "password = ask()\n"
    )
    lines = SourceLines(str(tmp_path), redact_keys=("iban",))
    shown = [text for _, text in lines.around("x.py", 1, 10)]
    assert shown[0] == lines.line("x.py", 1) == 'time.sleep(s); password="[redacted]"'
    assert shown[1:3] == ['get("http://shop/?token=[redacted]")', 'work()  # password="[redacted]"']
    assert shown[3:] == ['TEXT = """', "iban = [redacted]", '"""', "password = ask()"]
    assert "hunter2lit" not in source_line("x.py", 3, code_dir=str(tmp_path))
    assert "[redacted]" in source_line("x.py", 5, code_dir=str(tmp_path), redact_keys=("iban",))
