"""Keys and tokens of vendors that a beginning of their own gives away: `ghp_...`, `SG.`, `hvs.`, `AKIA...`.

All have at least 20 letters, digits, `_` and `-` in a row. Most texts have not, and cost no more than the
look for such a run.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import groupby
from typing import Final

from relive_base.patterns import LazyPattern

__all__ = ["hide_tokens", "may_hold_token"]

_RUN: Final = b"0" * 20
_RUNS: Final = bytes(48 if chr(code).isalnum() or code in b"_-" else 120 for code in range(128)) + b"x" * 128
_ODD_RUN: Final = LazyPattern(r"(?<![\w-])(?:(?<=[.$:])|(?![0-9a-f-]+(?![\w-])))[\w-]{20}")
_HEX: Final = "[A-Fa-f0-9]"
_WORD: Final = "[A-Za-z0-9]"
_URL64: Final = r"[\w-]"
_BASE64: Final = "[A-Za-z0-9+/]"

# By the character that ends the beginning ("" if there is none): the beginning in lower case by which
# it is found, and the whole token.
_TOKENS: Final[tuple[tuple[str, tuple[str, ...], str], ...]] = (
    # code hosting and packages
    ("_", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), rf"gh[pousr]_{_WORD}{{20,}}"),
    ("_", ("github_pat_",), r"github_pat_\w{20,}"),
    ("_", ("npm_",), rf"npm_{_WORD}{{30,}}"),
    ("_", ("rubygems_",), rf"rubygems_{_HEX}{{40,}}"),
    ("_", ("clojars_",), rf"(?i:clojars_){_WORD}{{40,}}"),
    ("_", ("dckr_",), rf"dckr_(?:pat|oat)_{_URL64}{{20,}}"),
    ("_", ("sgp_",), rf"sgp_(?:{_WORD}+_)?{_HEX}{{40}}"),
    ("_", ("squ_", "sqp_", "sqa_"), rf"sq[upa]_{_HEX}{{40}}"),
    ("_", ("bkua_",), rf"bkua_{_HEX}{{40}}"),
    ("_", ("ccipat_",), r"CCIPAT_\w{20,}"),
    ("_", ("glc_",), rf"glc_{_BASE64}{{32,}}={{0,3}}"),
    ("_", ("glsa_",), rf"glsa_{_WORD}{{20,}}(?:_{_HEX}{{8}})?"),
    # payment and shops
    ("_", ("shpat_", "shpca_", "shppa_", "shpss_", "shptka_", "shpua_"),
     rf"shp(?:at|ca|pa|ss|tka|ua)_{_HEX}{{16,}}"),
    ("_", ("flwseck_",), rf"FLWSECK_TEST-{_WORD}{{12,}}(?:-X)?"),
    # clouds and operations
    ("_", ("_v1_",), rf"do[opr]_v1_{_HEX}{{32,}}|tgp_v1_{_URL64}{{30,}}"),
    ("_", ("pscale_",), r"pscale_(?:tkn|oauth|pw)_[\w=.-]{32,}"),
    ("_", ("pnu_", "pnb_"), rf"pn[ub]_{_WORD}{{30,}}"),
    ("_", ("rdme_",), rf"rdme_{_WORD}{{40,}}"),
    ("_", ("sntryu_", "sntrya_"), rf"sntry[ua]_{_HEX}{{40,}}"),
    ("_", ("sntrys_",), rf"sntrys_{_BASE64}{{20,}}={{0,2}}(?:_{_BASE64}{{43}})?"),
    ("_", ("fo1_", "fm1r_", "fm1a_", "fm2_"), rf"fo1_{_URL64}{{40,}}|fm(?:1[ar]|2)_{_BASE64}{{60,}}={{0,3}}"),
    ("_", ("sbp_", "sb_secret_"), rf"sbp_{_HEX}{{40}}|sb_secret_{_URL64}{{20,}}"),
    ("_", ("nfp_", "rnd_"), rf"(?:nfp|rnd)_{_WORD}{{30,}}"),
    ("_", ("sm_aat_", "sm_pat_", "sm_sat_"), rf"sm_[aps]at_{_WORD}{{16}}"),
    ("_", ("hrku_",), rf"hrku_{_URL64}{{30,}}"),
    ("_", ("ops_eyj",), rf"ops_eyJ{_BASE64}{{40,}}={{0,3}}"),
    ("_", ("_mmk",), rf"{_WORD}{{6}}_{_WORD}{{29}}_mmk"),
    # machine learning and others
    ("_", ("hf_", "api_org_"), rf"(?:hf|api_org)_{_WORD}{{30,}}"),
    ("_", ("gsk_",), rf"gsk_{_WORD}{{40,}}"),
    ("_", ("r8_",), rf"r8_{_WORD}{{30,}}"),
    ("_", ("lsv2_",), rf"lsv2_(?:pt|sk)_{_HEX}{{32}}_{_HEX}{{10}}"),
    ("_", ("pcsk_",), rf"pcsk_{_WORD}+_{_WORD}{{40,}}"),
    ("_", ("lin_api_", "lin_oauth_"), rf"lin_(?:api|oauth)_{_WORD}{{32,}}"),
    ("_", ("ntn_", "secret_"), rf"ntn_{_WORD}{{40,}}|secret_{_WORD}{{43}}"),
    ("_", ("figd_",), rf"figd_{_URL64}{{30,}}"),
    ("_", ("tfp_",), rf"tfp_{_URL64}{{40,}}"),
    ("_", ("waka_",), rf"waka_{_URL64}{{30,}}"),
    ("_", ("rpa_",), rf"rpa_{_WORD}{{30,}}"),
    ("_", ("re_",), rf"re_(?=\w*\d)(?=\w*[A-Z]){_WORD}{{7,10}}_{_WORD}{{20,}}"),
    # with a hyphen
    ("-", ("sk-",), rf"sk-(?:[a-z]+-)*{_URL64}{{20,}}"),
    ("-", ("pypi-",), rf"pypi-{_URL64}{{40,}}"),
    (
        "-",
        ("glpat-", "glptt-", "glrt-", "glcbt-", "gldt-", "glft-", "glimt-", "glagent-", "gloas-", "glsoat-",
         "glffct-"),
        r"gl(?:pat|ptt|rt|cbt|dt|ft|imt|agent|oas|soat|ffct)-[\w.-]{16,}",
    ),
    ("-", ("gocspx-",), rf"GOCSPX-{_URL64}{{16,}}"),
    ("-", ("pplx-", "xai-", "nvapi-"), rf"pplx-{_WORD}{{32,}}|xai-{_WORD}{{40,}}|nvapi-{_URL64}{{40,}}"),
    ("-", ("bedrock-api-key-",), rf"bedrock-api-key-{_BASE64}{{20,}}={{0,2}}"),
    ("-", ("pmak-",), rf"PMAK-{_HEX}{{24}}-{_HEX}{{34}}"),
    ("-", ("pul-",), rf"pul-{_HEX}{{40}}"),
    ("-", ("tk-us-",), rf"tk-us-{_URL64}{{40,}}"),
    ("-", ("xkeysib-", "xsmtpsib-"), rf"x(?:key|smtp)sib-{_HEX}{{40,}}-{_WORD}{{10,}}"),
    ("-", ("key-",), rf"key-{_HEX}{{32}}"),
    ("-", ("-us",), rf"{_HEX}{{32}}-us\d{{1,2}}"),
    ("-", ("nrak-", "nraa-", "nrii-", "nrjs-", "nral"),
     rf"NR(?:AK|AA|II|JS)-{_URL64}{{19,}}|{_HEX}{{36}}NRAL"),
    ("-", ("hrku-",), rf"HRKU-{_URL64}{{30,}}"),
    ("-", ("ico-",), rf"ico-{_WORD}{{32}}"),
    ("-", ("fio-u-",), r"fio-u-[\w=-]{40,}"),
    ("-", ("p8e-",), rf"p8e-{_WORD}{{32}}"),
    ("-", ("a3-",), r"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}"),
    ("-", ("age-secret-key-1",), r"AGE-SECRET-KEY-1[A-Z0-9]{40,}"),
    ("-", ("api-",), r"API-[A-Z0-9]{26}"),
    ("-", ("tskey-",), rf"tskey-[a-z]+-{_WORD}+-{_WORD}{{16,}}"),
    ("-", ("sq0atp-", "sq0csp-", "sq0idp-"), rf"sq0(?:atp|csp|idp)-{_URL64}{{20,}}"),
    ("-", ("flwseck-",), rf"FLWSECK-{_HEX}{{32}}-X"),
    ("-", ("access-sandbox-", "access-production-", "access-development-"),
     rf"access-(?:sandbox|development|production)-{_HEX}{{8}}-[a-f0-9-]{{27}}"),
    ("-", ("pat-na", "pat-eu"), r"pat-(?:na|eu)\d-[a-f0-9-]{36}"),
    ("-", ("s-s4t2",), rf"s-s4t2(?:ud|af)-{_HEX}{{64}}"),
    ("-", ("cfpat-",), rf"CFPAT-{_URL64}{{40,}}"),
    # with a dot or a tilde
    (".", ("sg.",), rf"SG\.{_URL64}{{16,}}\.{_URL64}{{16,}}"),
    (".", ("hvs.", "hvb.", "hvr."), rf"hv[sbr]\.{_URL64}{{20,}}"),
    (".", ("s.",), rf"s\.(?=[A-Za-z]{{0,23}}\d){_WORD}{{24}}(?!\w)"),
    (".", ("ya29.",), rf"ya29\.{_URL64}{{20,}}"),
    (".", ("dp.",), r"dp\.(?:pt|st|sa|ct|scim|audit)\.[\w.-]{40,}"),
    (".", ("dt0",), rf"dt0[a-z]\d\d\.{_WORD}{{24}}\.{_WORD}{{64}}"),
    (".", ("atlasv1.",), rf"{_WORD}{{14}}\.atlasv1\.[\w=-]{{60,70}}"),
    (".", ("pat.", "sat."), rf"[ps]at\.{_URL64}{{22}}\.{_WORD}{{24}}\.{_WORD}{{20}}"),
    (".", ("pat",), rf"pat{_WORD}{{14}}\.{_HEX}{{64}}"),
    (".", ("sl.",), rf"sl\.{_URL64}{{60,}}"),
    (".", ("t1.",), rf"t1\.[A-Za-z0-9_-]+=*\.{_URL64}{{60,}}=*"),
    (".", ("v1.0-",), rf"v1\.0-{_HEX}{{24}}-{_HEX}{{100,}}"),
    (".", ("sc_", "ext_", "scauth_", "authress_"),
     rf"(?:sc|ext|scauth|authress)_{_WORD}{{5,30}}\.{_WORD}{{4,6}}\.acc[_-][a-z0-9-]{{10,32}}\.[\w+/=-]{{30,120}}"),
    ("~", ("sha256~",), rf"sha256~{_URL64}{{43}}"),
    ("~", ("q~",), r"[\w~.]{3}\dQ~[\w~.-]{31,34}"),
    (":", ("astracs:",), rf"AstraCS:{_WORD}{{20,}}:{_HEX}{{40,}}"),
    # with nothing
    ("", ("akia", "asia", "abia", "acca", "a3t"),
     r"A(?:KIA|SIA|BIA|CCA|3T[A-Z0-9])[A-Z0-9]{16}(?![A-Za-z0-9])"),
    ("", ("absk",), rf"ABSK{_BASE64}{{60,}}={{0,2}}"),
    ("", ("aiza",), rf"AIza{_URL64}{{35}}"),
    ("", ("eyjrijoi",), rf"eyJrIjoi{_BASE64}{{40,}}={{0,3}}"),
    ("", ("zxlk",), rf"ZXlK{_BASE64}{{60,}}={{0,2}}"),
    ("", ("ltai", "akid"), rf"(?:LTAI{_WORD}{{16,20}}|AKID{_WORD}{{32}})(?![A-Za-z0-9])"),
    ("", ("dapi",), rf"dapi{_HEX}{{32}}(?:-\d)?"),
    ("", ("ezak", "eztk"), rf"EZ[AT]K{_WORD}{{54}}"),
    ("", ("eaa",), rf"EAA[A-Z]{_WORD}{{80,}}|EAAA{_URL64}{{22,60}}(?!\w)"),
    ("", ("4b1d",), rf"4b1d{_WORD}{{38}}(?!\w)"),
    ("", ("akcp", "cmvmd"), rf"(?:AKCp{_WORD}{{69}}|cmVmd{_WORD}{{59}})(?!\w)"),
    ("", ("sk",), rf"SK{_HEX}{{32}}(?!\w)"),
    ("", ("gr1348941",), rf"GR1348941{_URL64}{{20}}"),
    ("", ("atatt3", "atctt3", "atbb"), r"AT[AC]TT3[\w=-]{60,}|ATBB[A-Za-z0-9_=]{28}"),
    ("", ("aqvn",), rf"AQVN{_URL64}{{35,38}}"),
)  # fmt: skip
# In addresses, where what stands before says what it is.
_PLACED: Final[tuple[tuple[str, str], ...]] = (
    ("hooks.slack.com/", r"(?<=hooks\.slack\.com/)(?P<secret>(?:services|workflows|triggers)/[\w/+-]{20,})"),
    ("/api/webhooks/", r"/api/webhooks/\d{10,}/(?P<secret>[\w-]{30,})"),
    (":a", r"(?<!\d)(?P<secret>\d{8,10}:A[\w-]{33,35})(?![\w-])"),
    ("1//0", r"(?<![\w/])(?P<secret>1//0[\w-]{30,})"),
    ("access_token$", r"(?P<secret>access_token\$(?:production|sandbox)\$\w{16}\$[a-f0-9]{32})"),
    ("1/", r"(?<![\w/])(?P<secret>1/\d{10,}:[a-f0-9]{32})"),
    ("|", r"(?<!\d)(?P<secret>\d{15,16}\|[\w-]{27,40})"),
)

# A bot's key at Discord begins with an encoded number; its dots are found by a literal, in a fraction of
# the time.
_BOT_DOTS: Final = LazyPattern(r"\.[\w-]{6}\.[\w-]{27}")
_BOT: Final = LazyPattern(r"(?<![\w-])(?P<secret>[MNO][\w-]{22,27}\.[\w-]{6}\.[\w-]{27,})")

_Rules = tuple[tuple[tuple[str, ...], LazyPattern], ...]


def _grouped() -> dict[str, _Rules]:
    return {
        mark: tuple((hints, LazyPattern(rf"(?<![A-Za-z0-9])(?P<secret>{body})")) for _, hints, body in rules)
        for mark, rules in groupby(_TOKENS, lambda rule: rule[0])
    }


_BY_MARK: Final = _grouped()
_BY_PLACE: Final = tuple((hint, LazyPattern(pattern)) for hint, pattern in _PLACED)


def may_hold_token(text: str, raw: bytes) -> bool:
    """Whether there is a run of characters that is as long as a token's and no mere hash or UUID. `raw` is
    the text in ASCII, with ? for all else."""
    return _RUN in raw.translate(_RUNS) and _ODD_RUN.search(text) is not None


def hide_tokens(text: str, lower: str, hide: Callable[[re.Match[str]], str]) -> str:
    """`text` without tokens; `lower` is the same in lower case, `hide` gives what a match becomes."""
    for mark, rules in _BY_MARK.items():
        if mark in lower:
            for hints, pattern in rules:
                for hint in hints:
                    if hint in lower:
                        text = pattern.sub(hide, text)
                        break
    if "." in lower and _BOT_DOTS.search(text) is not None:
        text = _BOT.sub(hide, text)
    for hint, pattern in _BY_PLACE:
        if hint in lower:
            text = pattern.sub(hide, text)
    return text
