// The steps of the official Node client against the fake: node.mjs IMAGE, in a folder that has the client installed.
import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const lark = require("@larksuiteoapi/node-sdk");
const { version } = require("@larksuiteoapi/node-sdk/package.json");

const path = process.argv[2];
const image = fs.readFileSync(path);
const {
    LARK_SITE: domain, LARK_APP_ID: appId, LARK_APP_SECRET: appSecret, LARK_SPREADSHEET: spreadsheet,
    LARK_SHEET: sheet, LARK_CHAT: chat, LARK_WIKI_NODE: wikiNode,
} = process.env;
const cell = `${sheet}!C3:C3`;
const silent = Object.fromEntries(["error", "warn", "info", "debug", "trace"].map((level) => [level, () => {}]));
const client = new lark.Client({ appId, appSecret, domain, logger: silent });
const values = `/open-apis/sheets/v2/spreadsheets/${spreadsheet}`;
let imageKey;
let fileToken;

async function bytes(download) {
    const chunks = [];
    for await (const chunk of download.getReadableStream()) {
        chunks.push(chunk);
    }
    return Buffer.concat(chunks);
}

// An error of axios quotes its whole request; the status and the body of the reply tell what is wrong.
async function told(error) {
    let body = error.response?.data;
    if (typeof body?.on === "function") {
        body = await bytes({ getReadableStream: () => body });
    }
    return `${error.message} ${Buffer.isBuffer(body) || typeof body === "string" ? body : JSON.stringify(body ?? {})}`;
}

const steps = {
    // A stream of a file: the client sends the bytes of a Buffer without a file name, which the service refuses.
    "upload an image": async () => {
        const data = { image_type: "message", image: fs.createReadStream(path) };
        imageKey = (await client.im.v1.image.create({ data })).image_key;
        assert.ok(imageKey);
    },
    "download the image": async () => {
        const download = await client.im.v1.image.get({ path: { image_key: imageKey } });
        assert.deepEqual(await bytes(download), image);
    },
    "send the image": async () => {
        const data = {
            receive_id: chat, msg_type: "image", content: JSON.stringify({ image_key: imageKey }), uuid: "node-1",
        };
        const params = { receive_id_type: "chat_id" };
        const sent = await client.im.v1.message.create({ params, data });
        assert.equal(sent.code, 0);
        assert.match(sent.data.message_id, /^om_/);
        assert.equal(JSON.parse(sent.data.body.content).image_key, imageKey);
        const reply = await client.im.v1.message.reply({
            path: { message_id: sent.data.message_id }, data: { ...data, receive_id: undefined, uuid: "node-2" },
        });
        assert.match(reply.data.message_id, /^om_/);
    },
    "list the sheets": async () => {
        const list = await client.sheets.v3.spreadsheetSheet.query({ path: { spreadsheet_token: spreadsheet } });
        assert.ok(list.data.sheets.some((it) => it.sheet_id === sheet));
    },
    "ask for the wiki node": async () => {
        const node = await client.wiki.v2.space.getNode({ params: { token: wikiNode } });
        assert.equal(node.data.node.obj_type, "sheet");
        assert.equal(node.data.node.obj_token, spreadsheet);
    },
    // The client has no method for these two endpoints, only for requests in general.
    "write the image into a cell": async () => {
        const data = { range: cell, image: image.toString("base64"), name: "test.png" };
        const written = await client.request({ method: "POST", url: `${values}/values_image`, data });
        assert.equal(written.code, 0);
    },
    "read the cell": async () => {
        const read = await client.request({ method: "GET", url: `${values}/values/${encodeURIComponent(cell)}` });
        fileToken = read.data.valueRange.values[0][0].fileToken;
        assert.ok(fileToken);
    },
    "download the cell's image": async () => {
        const download = await client.drive.v1.media.download({ path: { file_token: fileToken } });
        assert.deepEqual(await bytes(download), image);
    },
};

console.log(`-- @larksuiteoapi/node-sdk ${version}`);
for (const [name, step] of Object.entries(steps)) {
    try {
        await step();
        console.log(`${name}: ok`);
    } catch (error) {
        console.log(`${name}: FAILED: ${await told(error)}`);
        process.exitCode = 1;
    }
}
