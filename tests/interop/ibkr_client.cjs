// A client of npm's `ibkr-client`, made of a bundle of the simulator's; the base URL is no setting of its own.
'use strict';

const { IbkrClient } = require('ibkr-client');

module.exports = (bundle) => {
  const client = new IbkrClient({
    accessToken: bundle.access_token,
    accessTokenSecret: bundle.access_token_secret,
    consumerKey: bundle.consumer_key,
    dhPrime: bundle.dh_prime,
    encryption: bundle.encryption_key,
    realm: bundle.realm,
    signature: bundle.signature_key,
  });
  client.url = { api: `${bundle.base_url}/`, ws: '' };
  return client;
};
