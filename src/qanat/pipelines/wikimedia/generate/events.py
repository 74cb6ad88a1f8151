"""The text of an event, as Wikimedia writes it (schema mediawiki/revision/create 2.0.0): about 1.5 kB."""

import json
from dataclasses import dataclass
from random import Random
from urllib.parse import quote

from qanat.pipelines.wikimedia.generate.users import User
from qanat.pipelines.wikimedia.generate.wikis import Wiki

_BASE_36 = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it is created."""

    wiki: Wiki
    id: int
    title: str
    namespace: int
    is_redirect: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """The times of an event as they are written: when it was produced, and when the revision was."""

    produced: str
    revised: str


def uuid_of(random: Random) -> str:
    """Return a UUID of version 4."""
    digits = f"{random.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def text_of(
    page: Page, user: User | None, moment: Moment, revision: int, offset: int, random: Random
) -> str:
    """Return the JSON of a creation, in one line."""
    wiki = page.wiki
    uri = f"https://{wiki.domain}/wiki/{quote(page.title, safe='/:;,()!*@~')}"
    title = json.dumps(page.title, ensure_ascii=False)
    sha1 = "".join(random.choices(_BASE_36, k=31))
    length = random.randrange(40, 20_000)
    comment, parsed = _comments(page, user)
    model = "wikibase-item" if title.startswith('"Q') and wiki.weight > 5 else "wikitext"
    form = "text/x-wiki" if model == "wikitext" else "application/json"
    return (
        '{"$schema":"/mediawiki/revision/create/2.0.0","meta":{"uri":'
        f'"{uri}","request_id":"{uuid_of(random)}","id":"{uuid_of(random)}","domain":"{wiki.domain}",'
        f'"stream":"mediawiki.page-create","dt":"{moment.produced}",'
        f'"topic":"eqiad.mediawiki.page-create","partition":0,"offset":{offset}}},'
        f'"database":"{wiki.database}","page_id":{page.id},"page_title":{title},'
        f'"page_namespace":{page.namespace},"rev_id":{revision},"rev_timestamp":"{moment.revised}",'
        f'"rev_sha1":"{sha1}","rev_minor_edit":false,"rev_len":{length},'
        f'"rev_content_model":"{model}","rev_content_format":"{form}",{_performer(user)}'
        f'"page_is_redirect":{"true" if page.is_redirect else "false"},"comment":{comment},'
        f'"parsedcomment":{parsed},"dt":"{moment.revised}","rev_slots":{{"main":{{'
        f'"rev_slot_content_model":"{model}","rev_slot_sha1":"{sha1}","rev_slot_size":{length},'
        f'"rev_slot_origin_rev_id":{revision}}}}}}}'
    )


def _performer(user: User | None) -> str:
    if user is None:
        return ""
    name = json.dumps(user.name, ensure_ascii=False)
    is_bot = "true" if user.is_bot else "false"
    text = f'"performer":{{"user_text":{name},"user_groups":[{user.groups}],"user_is_bot":{is_bot}'
    if user.id is not None:
        text += f',"user_id":{user.id}'
    if user.registered is not None:
        text += f',"user_registration_dt":"{user.registered}","user_edit_count":{user.edits}'
    return f"{text}}},"


def _comments(page: Page, user: User | None) -> tuple[str, str]:
    if page.is_redirect:
        return _both("Redirected page to", page.title)
    if user is not None and user.is_bot:
        return _both(
            "Uploading a set of the archive's files, see details at", "Commons:Batch uploading"
        )
    if page.namespace == 0:
        return _both("Created page, with a first source; written after", "Help:Your first article")
    return _both("New page", "Help:Contents")


def _both(text: str, link: str) -> tuple[str, str]:
    shown = link.replace("&", "&amp;").replace('"', "&quot;")
    anchor = f'<a href="/wiki/{quote(link)}" title="{shown}">{shown}</a>'
    return (
        json.dumps(f"{text} [[{link}]]", ensure_ascii=False),
        json.dumps(f"{text} {anchor}", ensure_ascii=False),
    )
