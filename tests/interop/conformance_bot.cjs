// A bot that somebody wrote with `ibkr-client`, from its start to its end; `conformance.py` runs it again and again.
'use strict';

const fs = require('node:fs');
const made = require('./ibkr_client.cjs');

async function main(bundle) {
  const client = made(bundle);
  await client.init();
  const { accounts } = await client.request({ path: 'iserver/accounts' });
  for (let i = 0; i < 3; i += 1) {
    await client.request({ path: 'tickle', method: 'POST' });
    await client.request({ path: 'iserver/secdef/search', params: { symbol: 'AAPL' } });
  }
  const data = { orders: [{ conid: 265598, side: 'BUY', quantity: 1 }] };
  await client.request({ path: `iserver/account/${accounts[0]}/orders`, method: 'POST', data });
}

main(JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))).catch((error) => {
  console.error(String(error));
  process.exitCode = 1;
});
