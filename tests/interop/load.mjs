// Many clients of node's fetch at once, against `ibkr-oauth simulate`: none is refused for load, each request is a line of
// the log, and memory stays flat. The program is the argument; `REQUESTS` of the long run may be set.
import { execFileSync, spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const program = process.argv[2];
const CLIENTS = 40;
const CROWD = 6_000;
const LONG = Number(process.env.REQUESTS ?? 100_000);
// After so many, all that the simulator remembers of requests is full.
const WARM = 10_000;
// How much memory may grow between then and the end, in KiB.
const MOST_GROWTH = 2_048;
// glibc keeps some of what each thread has freed for that thread alone, of dozens of threads, and takes hundreds of thousands
// of requests to have its fill: that is no memory of the program's, and would hide what is.
const env = { ...process.env, GLIBC_TUNABLES: 'glibc.malloc.tcache_count=0' };

const folder = mkdtempSync(join(tmpdir(), 'ibkr-oauth-load-'));
const command = ['simulate', '--out', join(folder, 'sim')];
const simulator = spawn(program, command, { env, stdio: ['ignore', 'pipe', 'pipe'] });
let lines = 0;
let unusual = [];
createInterface({ input: simulator.stderr }).on('line', (line) => {
  lines += 1;
  if (!line.startsWith('200: ')) unusual.push(line);
});
const ready = JSON.parse(await new Promise((resolve) => createInterface({ input: simulator.stdout }).once('line', resolve)));
const token = JSON.parse(execFileSync(program, ['token', '--bundle', ready.bundle], { env: { ...process.env, HTTP_PROXY: '', http_proxy: '' } }));
const bundle = JSON.parse(readFileSync(ready.bundle));
const key = Buffer.from(token.live_session_token, 'base64');

const encode = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

function authorization(method, url) {
  const pairs = {
    oauth_consumer_key: bundle.consumer_key,
    oauth_nonce: randomBytes(16).toString('hex'),
    oauth_signature_method: 'HMAC-SHA256',
    oauth_timestamp: String(Math.floor(Date.now() / 1000)),
    oauth_token: bundle.access_token,
  };
  const parameters = Object.keys(pairs).sort().map((name) => `${name}=${pairs[name]}`).join('&');
  const base = [method, url, parameters].map(encode).join('&');
  pairs.oauth_signature = createHmac('sha256', key).update(base).digest('base64');
  const fields = Object.entries(pairs).map(([name, value]) => `${name}="${encode(value)}"`);
  return `OAuth realm="${bundle.realm}", ${fields.join(', ')}`;
}

const statuses = new Map();

async function run(count) {
  let left = count;
  const client = async () => {
    while (left-- > 0) {
      const url = `${ready.base_url}/portfolio/accounts`;
      let status;
      try {
        const response = await fetch(url, { headers: { Authorization: authorization('GET', url), 'User-Agent': 'node' } });
        await response.arrayBuffer();
        status = response.status;
      } catch (error) {
        status = `${error.cause?.code ?? error}`;
      }
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return count / ((performance.now() - start) / 1000);
}

const memory = () => Number(/VmRSS:\s*(\d+) kB/.exec(readFileSync(`/proc/${simulator.pid}/status`, 'utf8'))[1]);

let failed = false;
const check = (holds, what) => {
  console.log(`${holds ? 'ok    ' : 'BROKEN'} ${what}`);
  failed ||= !holds;
};

const rate = await run(CROWD);
const told = [...statuses].map(([status, count]) => `${count} x ${status}`).join(', ');
check(statuses.get(200) === CROWD, `${CROWD} requests of ${CLIENTS} clients: ${told}; ${rate.toFixed(0)} a second`);
await run(Math.max(WARM - CROWD, 0));
const before = memory();
await run(LONG - WARM);
const after = memory();
check(statuses.get(200) === LONG, `${LONG} requests: ${[...statuses].map(([status, count]) => `${count} x ${status}`).join(', ')}`);
check(after - before <= MOST_GROWTH, `memory: ${before} KiB after ${WARM} requests, ${after} KiB after ${LONG}`);
simulator.kill('SIGTERM');
const ended = await new Promise((resolve) => simulator.once('close', resolve));
check(ended === 0, `it ended with ${ended}`);
check(lines === LONG + 1 && unusual.length === 0, `${lines} lines in the log, ${unusual.length} of them unusual ${unusual[0] ?? ''}`);
rmSync(folder, { recursive: true });
process.exit(failed ? 1 : 0);
