// Node's own HTTP/2 client against the server: URL and CA come from the environment. Prints "fine" or throws.
'use strict';
const assert = require('assert');
const fs = require('fs');
const http2 = require('http2');

const session = http2.connect(process.env.URL, {
    ca: fs.readFileSync(process.env.CA),
    settings: { initialWindowSize: 300 }, // so that answers need window updates
});

const ask = (headers, body) => new Promise((resolve, reject) => {
    const stream = session.request(headers, { endStream: body === undefined });
    const answer = { text: '', reset: 0 };
    stream.setEncoding('utf8');
    stream.on('response', (got) => { answer.headers = got; answer.status = got[':status']; });
    stream.on('data', (chunk) => { answer.text += chunk; });
    stream.on('error', reject);
    stream.on('close', () => { answer.reset = stream.rstCode; resolve(answer); });
    if (body !== undefined) stream.end(body);
});

const problem = (answer, status, code) => {
    assert.strictEqual(answer.status, status);
    assert.strictEqual(answer.headers['content-type'], 'application/problem+json');
    assert.strictEqual(JSON.parse(answer.text).code, code);
    assert.strictEqual(answer.reset, 0);
};

const run = async () => {
    const many = await Promise.all(
        Array.from({ length: 300 }, (_, i) => ask({ ':path': `/nowhere/${i}` })));
    many.forEach((answer) => problem(answer, 404, 'not_found'));
    problem(await ask({ ':path': '/v1/me' }), 401, 'unauthenticated');
    problem(await ask({ ':path': '/v1/me', 'x-much': 'v'.repeat(20000) }), 431, 'headers_too_large');
    const post = { ':method': 'POST', ':path': '/v1/sessions', 'content-type': 'application/json' };
    problem(await ask(post, 'x'.repeat(70000)), 413, 'body_too_large');
    problem(await ask(post, '{'), 400, 'malformed_json');
    const head = await ask({ ':method': 'HEAD', ':path': '/nowhere' });
    assert.strictEqual(head.status, 404);
    assert.strictEqual(head.text, '');
    // given up half-way, the connection goes on
    const gone = session.request({ ':path': '/nowhere' });
    gone.on('error', () => {});
    gone.close(http2.constants.NGHTTP2_CANCEL);
    await new Promise((resolve, reject) => session.ping((error) => (error ? reject(error) : resolve())));
    problem(await ask({ ':path': '/nowhere' }), 404, 'not_found');
    const settings = session.remoteSettings;
    assert.strictEqual(settings.maxConcurrentStreams, 100);
    assert.strictEqual(settings.maxHeaderListSize, 16384);
    assert.strictEqual(settings.enablePush, false);
    session.close();
    console.log('fine');
};

session.on('error', (error) => { throw error; });
run().catch((error) => { console.error(error); process.exit(1); });
