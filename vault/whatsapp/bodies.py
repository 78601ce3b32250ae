"""What a message's text says that it is: a file, an omitted file, a deleted or edited message, a line of the system."""

import re
from functools import lru_cache

from vault.whatsapp.message import Kind
from vault.whatsapp.stamp import INVISIBLE, SPACES

_TRIMMED = INVISIBLE + SPACES
_MARK = "\u200e"

# `<attached: 00000012-PHOTO-2024-01-05-21-05-15.jpg>`, in any language; a caption may stand before it.
_ATTACHED = re.compile(
    rf"(?:^[{_TRIMMED}]*|{_MARK})<[^\W\d_][^<>:\uff1a]{{1,28}}[:\uff1a] ?([^<>\n]+\.[A-Za-z0-9]{{1,8}})>"
)
# `IMG-20240105-WA0001.jpg (file attached)`; a caption may follow on the next lines.
_FILE_ATTACHED = re.compile(
    rf"^[{_TRIMMED}]*(?P<name>[^\n]+\.[A-Za-z0-9]{{1,8}}) \((?P<words>[^()\n]{{3,40}})\)[{_TRIMMED}]*(?=\n|$)"
)
_FILE_WORDS = frozenset(
    (
        *("file attached", "archivo adjunto", "datei angehängt", "fichier joint", "file allegato", "arquivo anexado"),
        *("bestand bijgevoegd", "tiedosto liitetty", "fil bifogad", "fil vedlagt", "fil vedhæftet", "файл добавлен"),
        *("plik dołączony", "załączono plik", "soubor byl přiložen", "fájl csatolva", "dosya ekli", "ekli dosya"),
        *("ファイルが添付されています", "ファイル添付", "文件附件", "檔案已附加", "파일 첨부됨", "تم إرفاق ملف"),
        *("फ़ाइल संलग्न है", "फ़ाइल संलग्न", "fichier attaché", "anexo", "fișier atașat", "berkas terlampir"),
    )
)
_OMITTED_WORDS = (
    *("omitted", "omitido", "omitida", "omitidos", "weggelassen", "ausgeschlossen", "omis", "omise", "absent"),
    *("absente", "omesso", "omessa", "omessi", "oculta", "oculto", "ocultada", "weggelaten", "verwijderd bestand"),
    *("pois", "poistettu", "jätetty pois", "utelämnad", "utelatt", "udeladt", "pominięto", "vynecháno", "пропущено"),
    *(
        "без медиафайлов",
        "опущено",
        "省略",
        "メディアなし",
        "は除外されました",
        "생략",
        "dahil edilmedi",
        "atland\u0131",
    ),
    *("छोड़ा गया", "छोड़ दिया गया", "حُذفت", "تم استبعاد الوسائط", "tidak disertakan"),
)
_ENDS_OMITTED = "|".join(re.escape(word) for word in _OMITTED_WORDS)
_OMITTED_ANGLED = re.compile(
    rf"<(?:[^<>\n]{{0,40}}[{SPACES}]?(?:{_ENDS_OMITTED})|省略多媒体文件|略過多媒體檔)[^<>\n]{{0,20}}>", re.IGNORECASE
)
# iOS marks it: `image omitted`, `report.pdf • 3 pages document omitted`.
_OMITTED_MARKED = re.compile(rf"{_MARK}[^\n{_MARK}<>]{{2,60}}[{SPACES}]?(?:{_ENDS_OMITTED})$", re.IGNORECASE)
_OMITTED_BARE = ("image", "video", "audio", "sticker", "gif", "document", "contact card")

_DELETED = frozenset(
    (
        *("this message was deleted", "you deleted this message", "this message was deleted by admin"),
        *("se eliminó este mensaje", "eliminaste este mensaje", "este mensaje fue eliminado"),
        *("diese nachricht wurde gelöscht", "du hast diese nachricht gelöscht"),
        *("ce message a été supprimé", "vous avez supprimé ce message"),
        *("questo messaggio è stato eliminato", "hai eliminato questo messaggio"),
        *("mensagem apagada", "esta mensagem foi apagada", "você apagou esta mensagem"),
        *("dit bericht is verwijderd", "je hebt dit bericht verwijderd"),
        *(
            "tämä viesti poistettiin",
            "poistit tämän viestin",
            "данное сообщение удалено",
            "вы удалили данное сообщение",
        ),
        *("このメッセージは削除されました", "あなたはこのメッセージを削除しました", "你已删除此消息", "此消息已删除"),
        *("삭제된 메시지입니다", "이 메시지는 삭제되었습니다", "यह संदेश मिटाया गया", "आपने यह संदेश मिटाया"),
    )
)
_FIXED = {
    **dict.fromkeys(_DELETED, Kind.DELETED),
    **{f"{what} omitted": Kind.OMITTED for what in _OMITTED_BARE},
}
MOST_FIXED = 2 * max(map(len, _FIXED))
_EDITED = re.compile(
    rf"{_MARK}?<(?:this message was edited|se editó este mensaje|este mensaje fue editado|mensagem editada"
    r"|diese nachricht wurde bearbeitet|ce message a été modifié|questo messaggio è stato modificato"
    r"|dit bericht is bewerkt|tätä viestiä on muokattu|данное сообщение изменено|此消息已编辑"
    r"|この.{0,12}編集されました)\.?>$",
    re.IGNORECASE,
)

# Lines of the system that hold a colon, as a name or link is quoted in them.
_SYSTEM = re.compile(
    r"(?: (?:changed|updated) (?:the|this) (?:subject|group|settings|description)| created (?:group|this group)"
    r"| (?:added|removed) [^:]*$| left$| joined using | changed their phone number| changed to "
    r"|security code| is now an admin|end-to-end encrypted|cambió (?:el asunto|la descripción|el ícono)|creó el grupo"
    r"|hat (?:den Betreff|die Gruppenbeschreibung|die Gruppe)|a (?:changé|modifié|créé) "
    r"|ha (?:cambiato|creato|modificato) "
    r"|(?:mudou|alterou|criou) (?:o|a) |heeft (?:het onderwerp|de groep)|vaihtoi |loi ryhmän)",
    re.IGNORECASE,
)
_QUOTES = {"“": "”", "„": "“”", "«": "»", "「": "」", '"': '"'}


def classify(body: str) -> tuple[Kind, str | None]:
    """Tell what a sender's message is, and the name of the file it names."""
    if "<" not in body and "(" not in body and _MARK not in body and len(body) > MOST_FIXED:
        return Kind.TEXT, None
    if name := _attachment(body):
        return Kind.MEDIA, name
    return _plain_kind(body, body.strip(_TRIMMED)), None


def _plain_kind(body: str, bare: str) -> Kind:
    if body.startswith(_MARK) and _SYSTEM.search(body):
        return Kind.SYSTEM
    if bare.rstrip(".。").lower() in _FIXED:
        return _FIXED[bare.rstrip(".。").lower()]
    if ("<" in bare and _OMITTED_ANGLED.match(bare)) or (_MARK in body and _OMITTED_MARKED.search(body)):
        return Kind.OMITTED
    return Kind.EDITED if bare.endswith(">") and _EDITED.search(bare) else Kind.TEXT


def _attachment(body: str) -> str | None:
    if "<" in body and (match := _ATTACHED.search(body)):
        return match[1].strip(_TRIMMED)
    match = _FILE_ATTACHED.match(body) if "(" in body else None
    if match and (match["words"].lower() in _FILE_WORDS or body.startswith(_MARK)):
        return match["name"].strip(_TRIMMED)
    return None


def split_sender(rest: str, *, spaced_colon: bool) -> tuple[str | None, str]:
    """Split what follows a time into sender and text; a line of the system has no sender.

    `spaced_colon`: whether this export writes `Bob: Hi`, so that a colon without a space is part of a name.
    """
    place = rest.find(": ") if spaced_colon else rest.find(":")
    if spaced_colon:
        marked = rest.find(f":{_MARK}")
        place = min(found for found in (place, marked, len(rest)) if found >= 0)
        place = place if place < len(rest) else (len(rest) - 1 if rest.endswith(":") else -1)
    if place <= 0 or rest[place + 1 : place + 3] == "//":
        return None, rest
    sender = _sender(rest[:place])
    return (None, rest) if sender is None else (sender, rest[place + 1 :].removeprefix(" "))


@lru_cache(maxsize=1024)
def _sender(before: str) -> str | None:
    """The name that stands before a colon; None when it is a sentence of the system."""
    name = before.strip(_TRIMMED).removeprefix("~").strip(_TRIMMED)
    if not name or len(name) > 255 or _quotes_open(name) or _SYSTEM.search(before):
        return None
    return name


def _quotes_open(text: str) -> bool:
    """Whether a quotation begins in the text and does not end in it: the colon after it is a part of the quotation."""
    for opening, closing in _QUOTES.items():
        if opening == closing:
            if text.count(opening) % 2:
                return True
        elif opening in text and not any(mark in text[text.rindex(opening) + 1 :] for mark in closing):
            return True
    return False
