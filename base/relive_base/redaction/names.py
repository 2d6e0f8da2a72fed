"""Which names say that what goes under them is a secret: "password", "x-api-key", "dbPassword"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, Final

__all__ = [
    "NAME_KEYS", "VALUE_KEYS", "classify", "is_path", "may_name", "name_places", "names_a_path",
    "secret_texts", "split_words",
]  # fmt: skip

NAME_KEYS: Final = ("name", "key", "Name", "Key", "k", "header", "field", "variable", "ParameterKey")
VALUE_KEYS: Final = ("value", "Value", "v", "val", "ParameterValue")
"""How entries of lists call a name and its value: {"name": "password", "value": "..."}."""

_NAME_CHARS: Final = 128
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W_A-Za-z0-9]+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SECRET_WORDS: Final = _words(
    """password passwords passwd pwd passphrase passcode secret secrets token authorization cookie cookies
    credential credentials creds jwt bearer csrf xsrf otp totp cvv cvc ssn apikey apikeys privatekey secretkey
    accesskey sessionid sessionkey cardnumber setcookie
    passwort kennwort passworter senha senhas contrasena contrasenas contrasenya mdp wachtwoord
    wachtwoorden losenord passord adgangskode kodeord salasana haslo heslo hesla jelszo parola parole sifre
    geslo parool pw psk motdepasse lozinka matkhau dbpass dbpw κωδικος"""
)
"""In English and, without their accents, in other languages with Latin letters."""
_SECRET_PAIRS: Final = _words(
    """api_key api_keys access_key secret_key private_key private_keys signing_key encryption_key master_key
    ssh_key auth_key account_key session_id session_key card_number card_no pin_code security_code shared_key
    license_key service_key access_tokens refresh_tokens auth_tokens api_tokens session_tokens amz_signature
    goog_signature auth_header identified_by decryption_key storage_key subscription_key functions_key
    host_key deploy_key webhook_key hmac_key aes_key rsa_key client_key consumer_key crypt_key cipher_key
    recovery_codes recovery_code backup_codes seed_phrase de_passe mat_khau kata_sandi pass_word fernet_key
    hub_signature cle_secrete clave_secreta palavra_passe
    كلمة_المرور كلمة_السر κωδικος_προσβασης"""
)
_JOINED_PAIRS: Final = tuple(
    pair.replace("_", "") for pair in _SECRET_PAIRS if pair.endswith(("_key", "_keys"))
)
"""Keys in one word: "encryptionkey", "masterkey"."""
_SECRET_ENDINGS: Final = (
    *_words("password passwd passphrase secret token sessionid sessid passwort kennwort wachtwoord"),
    *_JOINED_PAIRS,
)
_PASS_OWNERS: Final = _words(
    "db user smtp mysql pg postgres root admin login ftp redis mail email ssh http proxy"
)
# Words that make of a secret's name the name of something about it: "token_count", "has_password".
_ABOUT_LAST: Final = _words(
    """count counts counter length len size limit limits type types expiry expires expiration ttl url uri
    endpoint policy regex pattern min max usage index valid required enabled changed age field at seconds name
    names lock label version used bucket accepted allowed consent banner notice domain path samesite secure
    httponly prefix suffix status state strength rules rule provider algorithm alg format reset updated
    created
    rotated expired invalid missing present set exists error errors warning help placeholder
    verified confirmed disabled optional needed supported ms ns us minutes hours days date time timeout budget
    rate price cost arn"""
)
_ABOUT_FIRST: Final = _words(
    """has is num max min total n next prev requires needs use uses allow allows accept accepts show hide
    forgot forgotten reset change invalid no missing without count"""
)
# Names that are a secret only when the value is text: as an object (a database session) it is looked into.
_WEAK_NAMES: Final = _words("session auth sid pin pass http_auth basic_auth proxy_auth clave")
# Names that are a secret only as text or a list of text: as a number they are a count.
_PLURAL_NAMES: Final = _words("tokens otps jwts apikeys")


_FOLDER_NAMES: Final = ("PWD", "OLDPWD")
_PATH_WORDS: Final = _words("file path dir directory folder filename")
_PATH_CHARS: Final = 4_096
_PATH: Final = re.compile(r"/[a-z0-9._-]{0,32}|~?(?:/[\w.@+,:~-]+(?: [\w.-]+)*){2,}/?")

# Pieces of secret names: in a text that has none of them no secret is named.
_HINTS: Final = (
    "pass", "pin", "pw", "psk", "otp", "key", "token", "cook", "auth", "secret", "cred", "sess",
    "card", "sid", "bearer", "identified", "sig=", "signature", "cv", "ssn", "jwt", "srf",
    "security", "recovery", "backup", "seed", "slo", "paro", "sifr", "sen", "asana", "clave", "mdp",
    "kode", "wort", "woord", "jelsz", "khau", "lozink", "sandi", "fernet",
)  # fmt: skip
_FOREIGN_HINTS: Final = (
    "парол", "секретн", "密码", "密碼", "口令", "パスワード", "暗証番号", "비밀번호", "암호", "סיסמ",
    "المرور", "السر",
    "πρόσβασης", "προσβασης", "συνθηματικ", "contrase", "contrasenya", "lösen", "hasł", "şifr", "jelsz",
    "clé", "mật", "khẩu", "slapta", "parol", "secrè",
)  # fmt: skip


def _folded(name: str) -> str:
    """`name` with Latin letters without their accents."""
    if name.isascii():
        return name
    import unicodedata  # only names in other scripts need it

    apart = unicodedata.normalize("NFKD", name.translate(_LETTERS))
    return unicodedata.normalize("NFC", "".join(char for char in apart if not unicodedata.combining(char)))


_LETTERS: Final = str.maketrans({"ł": "l", "Ł": "L", "ı": "i", "ø": "o", "Ø": "O", "đ": "d", "ß": "ss"})
# As `_folded` gives them.
_FOREIGN_ENDINGS: Final = (
    "密码", "密碼", "口令", "ハスワート", "暗証番号", "비밀번호", "암호", "סיסמה", "סיסמא",
)  # fmt: skip
_FOREIGN_BEGINNINGS: Final = ("парол", "секретн", "συνθηματικ")


def split_words(name: str) -> list[str]:
    """The lower-case words of a name in any convention: "Api-Key", "apiKey", "API_KEY" -> ["api", "key"].
    Latin letters lose their accents: "contraseña" -> ["contrasena"]."""
    return [word.lower() for word in _WORDS.findall(_folded(name))]


def classify(words: list[str], extra: frozenset[str]) -> str:
    """ "strong", "weak", "plural" or "" for the words of a name; `extra` are further names, their words
    joined by _."""
    if not words:
        return ""
    joined = "_".join(words)
    if joined in extra or any(word in extra for word in words):
        return "strong"
    if joined in _WEAK_NAMES:
        return "weak"
    if joined in _PLURAL_NAMES:
        return "plural"
    if len(words) > 1 and (words[-1] in _ABOUT_LAST or words[0] in _ABOUT_FIRST):
        return ""
    if any(word in _SECRET_WORDS or word.endswith(_SECRET_ENDINGS) or _is_foreign(word) for word in words):
        return "strong"
    for first, second in pairwise(words):
        if f"{first}_{second}" in _SECRET_PAIRS or (second == "pass" and first in _PASS_OWNERS):
            return "strong"
    return ""


def names_a_path(name: str, words: list[str]) -> bool:
    """Whether what goes under a secret's name may be where the secret lies, or, as in a shell, the working
    folder: DB_PASSWORD_FILE, GOOGLE_APPLICATION_CREDENTIALS, PWD."""
    return name in _FOLDER_NAMES or words[-1] in _PATH_WORDS or words[-2:] == ["application", "credentials"]


def is_path(text: str) -> bool:
    """Whether a text under such a name is a path. A password may begin with a slash, too: one part alone has
    to be a plain word."""
    return len(text) <= _PATH_CHARS and _PATH.fullmatch(text) is not None


def _is_foreign(word: str) -> bool:
    return not word.isascii() and (word.endswith(_FOREIGN_ENDINGS) or word.startswith(_FOREIGN_BEGINNINGS))


def may_name(lower: str) -> bool:
    """Whether a text (in lower case) may hold a secret's name. One flat expression: a loop over the hints
    takes three times as long; to look for one character first costs a fifth of looking for a word."""
    if (
        (
            "p" in lower
            and ("pass" in lower or "pin" in lower or "pw" in lower or "otp" in lower or "psk" in lower)
        )
        or ("k" in lower and ("key" in lower or "token" in lower or "cook" in lower))
        or "auth" in lower
        or "secret" in lower
        or "cred" in lower
        or "sess" in lower
        or "card" in lower
        or "sid" in lower
        or ("b" in lower and ("bearer" in lower or "identified" in lower or "backup" in lower))
    ):
        return True
    if ("g" in lower and ("sig=" in lower or "signature" in lower)) or ("v" in lower and "cv" in lower):
        return True
    return (
        "ssn" in lower
        or "seed" in lower
        or ("j" in lower and ("jwt" in lower or "jelsz" in lower))
        or ("f" in lower and ("srf" in lower or "sifr" in lower))
        or ("y" in lower and ("security" in lower or "recovery" in lower))
        or _may_name_abroad(lower)
    )


def _may_name_abroad(lower: str) -> bool:
    """The same for names in other languages than English."""
    return (
        "sen" in lower
        or "slo" in lower
        or ("w" in lower and ("wort" in lower or "woord" in lower))
        or ("m" in lower and "mdp" in lower)
        or ("k" in lower and ("kode" in lower or "khau" in lower))
        or ("p" in lower and "paro" in lower)
        or ("v" in lower and "clave" in lower)
        or "asana" in lower
        or "sandi" in lower
        or ("z" in lower and "lozink" in lower)
        or ("f" in lower and "fernet" in lower)
        or (not lower.isascii() and any(hint in lower for hint in _FOREIGN_HINTS))
    )


def name_places(lower: str, extra: Iterable[str] = ()) -> list[int]:
    """Where in a text (in lower case) a secret's name may be: at or around these places, in order. `extra`:
    what else to look for. Empty if `may_name` says that there is none."""
    places: list[int] = []
    for hint in (*_HINTS, *(() if lower.isascii() else _FOREIGN_HINTS), *extra):
        place = lower.find(hint)
        while place >= 0:
            places.append(place)
            place = lower.find(hint, place + 1)
    return sorted(places)


def secret_texts(values: Mapping[Any, Any], secret_key: Callable[[str], str], limit: int) -> list[str]:
    """The secrets of a dict under a secret name, of its first `limit` entries: texts under names that are
    secret themselves, or say "value"; all texts of one that has no such name, as of {"bob": "..."}."""
    texts = [(key, item) for key, item in list(values.items())[:limit] if type(item) is str]
    named = [
        item
        for key, item in texts
        if type(key) is str and (key in VALUE_KEYS or secret_key(key[:_NAME_CHARS]))
    ]
    return named or [item for _, item in texts]
