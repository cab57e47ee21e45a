// What `ibkr_client_signs_in.py` runs: the bundle comes on standard input.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const made = require('./ibkr_client.cjs');

async function main(bundle) {
  const client = made(bundle);
  // Each negotiation has another key, of which about every second needs a sign byte. It throws where the proof does not fit.
  for (let i = 0; i < 7; i += 1) await client.live();
  assert.equal((await client.init()).authenticated, true);
  const { accounts } = await client.request({ path: 'iserver/accounts' });
  const params = { symbol: 'BRK B', name: true };
  assert.ok((await client.request({ path: 'iserver/secdef/search', params }))[0].conid);
  const data = { orders: [{ conid: 265598, side: 'BUY', quantity: 1 }] };
  const placed = await client.request({ path: `iserver/account/${accounts[0]}/orders`, method: 'POST', data });
  assert.ok(placed[0].order_id);
  assert.ok((await client.request({ path: 'tickle', method: 'POST' })).session);
  await assert.rejects(client.request({ path: 'nothing/here' }), /404/);
}

main(JSON.parse(fs.readFileSync(0, 'utf8'))).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
