"""The steps of the official Python client against the fake: python.py IMAGE, with lark-oapi installed."""

import asyncio
import base64
import importlib.metadata
import json
import os
import sys
import urllib.parse

import lark_oapi as lark
from lark_oapi.api.drive.v1 import DownloadMediaRequest
from lark_oapi.api.im.v1 import (
    CreateImageRequest,
    CreateImageRequestBody,
    CreateMessageRequest,
    CreateMessageRequestBody,
    GetImageRequest,
    ReplyMessageRequest,
    ReplyMessageRequestBody,
)
from lark_oapi.api.sheets.v3 import QuerySpreadsheetSheetRequest
from lark_oapi.api.wiki.v2 import GetNodeSpaceRequest

PATH = sys.argv[1]
with open(PATH, "rb") as file:
    IMAGE = file.read()
SPREADSHEET = os.environ["LARK_SPREADSHEET"]
SHEET = os.environ["LARK_SHEET"]
CELL = f"{SHEET}!D4:D4"
VALUES = f"/open-apis/sheets/v2/spreadsheets/{SPREADSHEET}"

client = (
    lark.Client.builder()
    .domain(os.environ["LARK_SITE"])
    .app_id(os.environ["LARK_APP_ID"])
    .app_secret(os.environ["LARK_APP_SECRET"])
    .log_level(lark.LogLevel.ERROR)
    .build()
)
found = {}


def good(response):
    assert response.success(), f"{response.code} {response.msg} (HTTP {response.raw.status_code})"
    return response


def upload(image):
    body = CreateImageRequestBody.builder().image_type("message").image(image).build()
    return CreateImageRequest.builder().request_body(body).build()


def upload_an_image():
    # A tuple: the client sends the bytes of a plain file without a file name, which the service refuses.
    with open(PATH, "rb") as file:
        response = good(client.im.v1.image.create(upload(("test.png", file, "image/png"))))
    found["key"] = response.data.image_key
    assert found["key"]


def upload_an_image_async():
    async def send():
        with open(PATH, "rb") as file:
            return good(await client.im.v1.image.acreate(upload(file)))

    assert asyncio.run(send()).data.image_key != found["key"]


def download_the_image():
    response = good(client.im.v1.image.get(GetImageRequest.builder().image_key(found["key"]).build()))
    assert response.file.read() == IMAGE, "other bytes"


def send_the_image():
    content = json.dumps({"image_key": found["key"]})
    body = (
        CreateMessageRequestBody.builder()
        .receive_id(os.environ["LARK_CHAT"])
        .msg_type("image")
        .content(content)
        .uuid("python-1")
        .build()
    )
    request = CreateMessageRequest.builder().receive_id_type("chat_id").request_body(body).build()
    sent = good(client.im.v1.message.create(request)).data
    assert sent.message_id.startswith("om_"), sent.message_id
    assert json.loads(sent.body.content)["image_key"] == found["key"]
    body = ReplyMessageRequestBody.builder().msg_type("image").content(content).uuid("python-2").build()
    request = ReplyMessageRequest.builder().message_id(sent.message_id).request_body(body).build()
    assert good(client.im.v1.message.reply(request)).data.message_id.startswith("om_")


def list_the_sheets():
    request = QuerySpreadsheetSheetRequest.builder().spreadsheet_token(SPREADSHEET).build()
    sheets = good(client.sheets.v3.spreadsheet_sheet.query(request)).data.sheets
    assert SHEET in [sheet.sheet_id for sheet in sheets]


def ask_for_the_wiki_node():
    request = GetNodeSpaceRequest.builder().token(os.environ["LARK_WIKI_NODE"]).build()
    node = good(client.wiki.v2.space.get_node(request)).data.node
    assert (node.obj_type, node.obj_token) == ("sheet", SPREADSHEET), (node.obj_type, node.obj_token)


def raw(method, uri, body=None):
    """The client has no method for the endpoints of sheets v2, only for requests in general."""
    request = lark.BaseRequest.builder().http_method(method).uri(uri)
    request = request.token_types({lark.AccessTokenType.TENANT})
    if body is not None:
        request = request.headers({"Content-Type": "application/json; charset=utf-8"}).body(body)
    response = good(client.request(request.build()))
    return json.loads(response.raw.content)["data"]


def write_the_image_into_a_cell():
    image = base64.b64encode(IMAGE).decode("ascii")
    body = {"range": CELL, "image": image, "name": "test.png"}
    raw(lark.HttpMethod.POST, f"{VALUES}/values_image", body)


def read_the_cell():
    data = raw(lark.HttpMethod.GET, f"{VALUES}/values/{urllib.parse.quote(CELL, safe='')}")
    found["token"] = data["valueRange"]["values"][0][0]["fileToken"]
    assert found["token"]


def download_the_cells_image():
    request = DownloadMediaRequest.builder().file_token(found["token"]).build()
    response = good(client.drive.v1.media.download(request))
    assert response.file.read() == IMAGE, "other bytes"


print(f"-- lark-oapi {importlib.metadata.version('lark-oapi')}")
code = 0
for step in [
    upload_an_image,
    upload_an_image_async,
    download_the_image,
    send_the_image,
    list_the_sheets,
    ask_for_the_wiki_node,
    write_the_image_into_a_cell,
    read_the_cell,
    download_the_cells_image,
]:
    name = step.__name__.replace("_", " ")
    try:
        step()
        print(f"{name}: ok")
    except Exception as error:
        print(f"{name}: FAILED: {type(error).__name__}: {error}")
        code = 1
sys.exit(code)
