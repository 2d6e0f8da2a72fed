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
