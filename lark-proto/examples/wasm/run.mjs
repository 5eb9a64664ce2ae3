// A host of the WebAssembly modules: it sends and waits. Here the replies come from a function. In a browser or a
// server they come from `fetch`, with the method, the path and the headers of the head. `fetch` decompresses a body but
// leaves the header `Content-Encoding`, which the host then removes.
//
//     node run.mjs wasm.wasm                  whole calls
//     node run.mjs wasm.wasm exact_bytes      also compares the bytes of requests with those of that native program
//
// The module with the cell write alone is compared in the same way.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const [GO, SEND, WAIT, DONE, FAILED] = [0, 1, 2, 3, 4];
const [path, exactBytes] = process.argv.slice(2);
const file = readFileSync(path);
const module = new WebAssembly.Module(file);
assert.deepEqual(WebAssembly.Module.imports(module), [], 'the module has imports');
const wasm = new WebAssembly.Instance(module).exports;

/// Writes the arguments of the next function into the buffer: lines of text, and an image.
function give(lines, image = new Uint8Array()) {
    const text = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(''));
    const at = wasm.buffer(text.length + image.length);
    // The memory may have grown, so its view is made anew each time.
    const memory = new Uint8Array(wasm.memory.buffer);
    memory.set(text, at);
    memory.set(image, at + text.length);
}

/// A copy of what the last function left in the buffer.
const take = () => new Uint8Array(wasm.memory.buffer, wasm.address(), wasm.len()).slice();
const text = () => new TextDecoder().decode(take());

/// The head and the body of the request that the module has made.
function request(next) {
    assert.equal(next, SEND, next === FAILED ? text() : `${next}`);
    const parts = [take()];
    do {
        wasm.chunk();
        parts.push(take());
    } while (parts.at(-1).length > 0);
    return Buffer.concat(parts);
}

/// Writes an image into a cell: a whole call. `send` gets a request and resolves to a reply, or rejects.
async function writeCell(send, sheet, cell, name, image) {
    give([sheet, cell, name], image);
    assert.equal(wasm.begin_call(crypto.getRandomValues(new Uint32Array(1))[0]), GO);
    for (;;) {
        const next = wasm.step(Date.now());
        if (next === DONE) return text();
        if (next === FAILED) throw new Error(text());
        if (next === WAIT) {
            await sleep(wasm.millis());
            continue;
        }
        const timeout = wasm.millis();
        const bytes = request(next);
        const reply = await send(bytes, timeout).catch((error) => {
            if (error instanceof assert.AssertionError) throw error;
            return error;
        });
        if (reply instanceof Error) {
            give([reply.message]);
            assert.equal(wasm.failed(Date.now()), GO);
            continue;
        }
        const lines = Object.entries(reply.headers).map(([key, value]) => `${key}: ${value}`);
        give([...lines, ''], new TextEncoder().encode(reply.body));
        assert.equal(wasm.received(Date.now(), reply.status), GO);
    }
}

// The first token is refused, a rate limit asks for a wait of a second, and one connection breaks.
const PNG = readFileSync(new URL('../../tests/golden/test.png', import.meta.url));
const reply = (status, value, headers = {}) => ({ status, headers, body: JSON.stringify(value) });
const grant = (token) => reply(200, { code: 0, msg: 'ok', tenant_access_token: token, expire: 7200 });
const written = { code: 0, msg: 'success', data: { spreadsheetToken: 'shtcnabc', updateRange: 'Q7PlXT!H7:H7' } };
const script = [
    ['tenant_access_token', grant('t-1')],
    ['Bearer t-1', reply(400, { code: 99991663, msg: 'token invalid' })],
    ['tenant_access_token', grant('t-2')],
    ['Bearer t-2', reply(429, { code: 99991400, msg: 'limited' }, { 'x-ogw-ratelimit-reset': '1' })],
    ['Bearer t-2', new Error('the connection was closed')],
    ['Bearer t-2', reply(200, written)],
    ['Bearer t-2', reply(200, { code: 90202, msg: 'the range is wrong' })],
];
async function scripted(bytes) {
    const [expected, answer] = script.shift();
    assert.ok(bytes.includes(expected), `a request with ${expected}:\n${bytes}`);
    if (answer instanceof Error) throw answer;
    return answer;
}
const write = () => writeCell(scripted, 'shtcnabc', 'Q7PlXT!H7', 'test.png', PNG);

if (wasm.open_session !== undefined) {
    give(['cli_a1b2', 'secret']);
    assert.equal(wasm.open_session(), GO);
    const begun = Date.now();
    assert.equal(await write(), 'Q7PlXT!H7:H7');
    assert.ok(Date.now() - begun >= 1000, 'the rate limit was not waited for');
    await assert.rejects(write(), /90202/);
    assert.equal(script.length, 0);
    console.log('a call: a refused token, a rate limit, a broken connection, written; and a refusal is reported');
}

/// The same bytes as the native program, for images of many lengths, around those of an encoded piece as well.
if (exactBytes !== undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'wasm-'));
    const native = (...args) => execFileSync(exactBytes, args, { maxBuffer: 1 << 28 });
    let compared = 0;
    const same = (next, ...args) => {
        assert.ok(request(next).equals(native(...args)), `other bytes: ${args.join(' ')}`);
        compared += 1;
    };
    if (wasm.tenant_token !== undefined) {
        give(['cli_a1b2', 'sec"ret']);
        same(wasm.tenant_token(), 'tenant-token', '--app-id', 'cli_a1b2', '--app-secret', 'sec"ret');
    }
    for (const length of [0, 1, 2, 15, 16, 17, 100, 12_279, 12_280, 12_288, 40_000, 1_000_003]) {
        for (const seed of [1, 2, 3]) {
            // A linear congruential generator; one image in three has one-digit numbers only.
            let state = seed * 7919 + length;
            const random = Uint8Array.from({ length }, () => {
                state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
                return seed === 3 ? state >>> 29 : state >>> 24;
            });
            const image = Buffer.concat([Buffer.from('GIF89a'), random]);
            const input = join(folder, 'image.gif');
            writeFileSync(input, image);
            give(['t-1', 'shtcnabc', 'Q7PlXT!H7', '图.gif'], image);
            same(wasm.write_sheet_image(), 'write-sheet-image', '--spreadsheet', 'shtcnabc', '--cell', 'Q7PlXT!H7',
                '--name', '图.gif', '--token', 't-1', input);
            if (wasm.put_image === undefined) continue;
            give(['t-1'], image);
            same(wasm.put_image(), 'put-image', '--token', 't-1', input);
        }
    }
    rmSync(folder, { recursive: true });
    console.log(`${compared} requests have the bytes of the native program`);
}
console.log(`the module has no imports and ${Math.round(file.length / 1000)} kB`);
