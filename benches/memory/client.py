"""The uploader and the cell write on the vendor's client for Python: client.py JOB SITE FILE."""

import json
import sys

import lark_oapi as lark
from lark_oapi.api.im.v1 import CreateImageRequest, CreateImageRequestBody

job, site, path = sys.argv[1:]
client = lark.Client.builder().domain(site).app_id("cli_a1b2").app_secret("secret").build()
with open(path, "rb") as file:
    if job == "upload":
        # A tuple: the client sends the bytes of a plain file without a file name, which the service refuses.
        body = CreateImageRequestBody.builder().image_type("message").image(("image.gif", file, "image/gif")).build()
        print(client.im.v1.image.create(CreateImageRequest.builder().request_body(body).build()).data.image_key)
    else:
        # The client has no method for cell writes, only for requests in general.
        body = {"range": "Q7PlXT!H7:H7", "image": list(file.read()), "name": "image.gif"}
        request = lark.BaseRequest.builder().http_method(lark.HttpMethod.POST).body(body)
        request = request.uri("/open-apis/sheets/v2/spreadsheets/shtcnabc/values_image")
        response = client.request(request.token_types({lark.AccessTokenType.TENANT}).build())
        print(json.loads(response.raw.content)["data"]["spreadsheetToken"])
