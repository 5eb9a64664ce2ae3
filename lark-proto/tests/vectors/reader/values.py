"""The constructors of values, by name: each takes the inputs of a case, and returns a value or refuses the inputs."""

import json

from . import documents, images, replies, requests, sites, texts
from .documents import Cell, is_id
from .fields import parsed
from .images import Image, bytes_of
from .texts import checked, receiver, secret, token, visible

__all__ = ["bytes_of", "construct", "expanded"]


def expanded(inputs):
    """The inputs with each long text in full."""
    if isinstance(inputs, list):
        return [expanded(item) for item in inputs]
    if not isinstance(inputs, dict):
        return inputs
    if "repeat" in inputs:
        return inputs["start"] + inputs["repeat"] * inputs["count"]
    return {name: expanded(value) for name, value in inputs.items()}


def construct(name, inputs):
    if name in requests.ENDPOINTS:
        return {"target": requests.parts(name, inputs).target}
    value = CONSTRUCTORS[name](inputs)
    return value if isinstance(value, dict) else {"text": value}


def image_for_rules(inputs):
    image = Image(inputs["image"])
    images.check(image, inputs["rules"])
    return image.shown()


def as_reply(read, value):
    """An input that has the form of a part of a reply, as it is read from the reply."""
    return read(parsed(json.dumps(value).encode()))


def place(inputs):
    readers = {"node": replies.node, "sheets": replies.tabs}
    return documents.place({
        name: as_reply(readers[name], value) if name in readers else value for name, value in inputs.items()
    })


CONSTRUCTORS = {
    "spreadsheet_token": lambda inputs: documents.spreadsheet_token(inputs["text"]),
    "spreadsheet_token_of_any_kind": lambda inputs: documents.any_spreadsheet(inputs["text"]),
    "spreadsheet_link": lambda inputs: documents.spreadsheet_link(inputs["text"]),
    "wiki_token": lambda inputs: documents.wiki_token(inputs["text"]),
    "wiki_node_spreadsheet": lambda inputs: documents.wiki_node_spreadsheet(as_reply(replies.node, inputs)),
    "sheet_id": lambda inputs: documents.sheet_id(inputs["text"]),
    "sheet_cell": lambda inputs: Cell.of(inputs["text"]).shown(),
    "sheet_cell_at": lambda inputs: Cell(inputs["sheet"], inputs["column"], inputs["row"]).shown(),
    "place": place,
    "image": lambda inputs: Image(inputs["image"]).shown(),
    "image_for_rules": image_for_rules,
    "file_name": lambda inputs: images.file_name(inputs["text"], Image(inputs["image"])),
    "lossy_file_name": lambda inputs: images.lossy_file_name(inputs["text"], Image(inputs["image"])),
    "image_key": texts.image_key,
    "file_token": lambda inputs: checked(is_id(inputs["text"], 128), "bad_file_token", inputs["text"]),
    "message_id": texts.message_id,
    "message_uuid": texts.message_uuid,
    "receiver": lambda inputs: receiver(inputs["text"]),
    "chat_receiver": lambda inputs: receiver(inputs["text"], "chat_id"),
    "open_id_receiver": lambda inputs: receiver(inputs["text"], "open_id"),
    "union_id_receiver": lambda inputs: receiver(inputs["text"], "union_id"),
    "user_id_receiver": lambda inputs: receiver(inputs["text"], "user_id"),
    "email_receiver": lambda inputs: receiver(inputs["text"], "email"),
    "tenant_token": token,
    "user_token": token,
    "app_token": token,
    "app_id": visible(128, "bad_app_id"),
    "tenant_key": visible(128, "bad_tenant_key"),
    "app_secret": secret(256, "bad_app_secret"),
    "app_ticket": secret(1024, "bad_app_ticket"),
    "app_ticket_event": texts.app_ticket_event,
    "site": lambda inputs: sites.site(inputs["text"]).shown(),
    "custom_site": lambda inputs: sites.custom_site(inputs["text"]).shown(),
    "insecure_site": lambda inputs: sites.Site(inputs["text"]).shown(),
    "proxy": lambda inputs: sites.proxy(inputs["text"]),
    "user_agent": texts.user_agent,
    "boundary": lambda inputs: texts.boundary(inputs["text"]),
    "path": lambda inputs: sites.path(inputs["route"], inputs["values"], inputs["query"]),
    "stored_request": lambda inputs: sites.stored_request(bytes_of(inputs["bytes"]), sites.custom_site(inputs["site"])),
}
