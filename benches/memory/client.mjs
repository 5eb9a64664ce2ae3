// The uploader and the cell write on the vendor's client for Node, in a folder that has it: client.mjs JOB SITE FILE.
import fs from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const lark = require("@larksuiteoapi/node-sdk");

const [job, domain, path] = process.argv.slice(2);
const silent = Object.fromEntries(["error", "warn", "info", "debug", "trace"].map((level) => [level, () => {}]));
const client = new lark.Client({ appId: "cli_a1b2", appSecret: "secret", domain, logger: silent });
if (job === "upload") {
    // A stream of a file: the client sends the bytes of a Buffer without a file name, which the service refuses.
    const data = { image_type: "message", image: fs.createReadStream(path) };
    console.log((await client.im.v1.image.create({ data })).image_key);
} else {
    // The client has no method for cell writes, only for requests in general.
    const data = { range: "Q7PlXT!H7:H7", image: [...fs.readFileSync(path)], name: "image.gif" };
    const url = "/open-apis/sheets/v2/spreadsheets/shtcnabc/values_image";
    console.log((await client.request({ method: "POST", url, data })).data.spreadsheetToken);
}
