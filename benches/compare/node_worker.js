// The npm package oauth-1.0a as a worker of `compare.py`: it reads a command a line, and answers each with a line.
"use strict";

const crypto = require("node:crypto");
const readline = require("node:readline");
const OAuth = require("oauth-1.0a");

const REQUEST = {
  method: "GET",
  url: "https://api.ibkr.com/v1/api/iserver/marketdata/snapshot?conids=265598,8314&fields=31,84,86",
};
const TOKEN = { key: "218c1d970d85a8442825", secret: "token20" };

function client() {
  return new OAuth({
    consumer: { key: "TESTCONS", secret: "live_session" },
    signature_method: "HMAC-SHA256",
    realm: "test_realm",
    hash_function: (baseString, key) => crypto.createHmac("sha256", key).update(baseString).digest("base64"),
  });
}

const session = client();
const sign = (oauth) => oauth.toHeader(oauth.authorize(REQUEST, TOKEN)).Authorization;

const commands = {
  sign(times) {
    const started = process.cpuUsage();
    for (let index = 0; index < Number(times); index += 1) {
      sign(session);
    }
    const { user, system } = process.cpuUsage(started);
    return (user + system) * 1000;
  },
  check(nonce, timestamp) {
    const oauth = client();
    oauth.getNonce = () => nonce;
    oauth.getTimeStamp = () => timestamp;
    return decodeURIComponent(sign(oauth).split('oauth_signature="')[1].split('"')[0]);
  },
};

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const [command, ...parameters] = line.split(" ");
  console.log(String(commands[command](...parameters)));
});
