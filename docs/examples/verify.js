#!/usr/bin/env node
// Verifies webhooks: by a secret that both sides have, or by the public keys of the team that sends them.
//
// Needs Node 18 and what is in package.json (npm ci). Reads webhooks from standard input, a JSON object a line,
// {"headers": {...}, "body": "..."}, and says of each whether it is genuine. Takes from the environment one of:
//
//     SECRET    the subscription's secret, whsec_...
//     JWKS      where the public keys are, such as https://checks.example.com/.well-known/checkflow/1/jwks.json
"use strict";

const crypto = require("node:crypto");
const readline = require("node:readline");
const { Webhook } = require("standardwebhooks");

const TOLERANCE = 5 * 60; // seconds that a timestamp may be off
const KEPT = 5 * 60; // seconds that keys are kept: one that was revoked is trusted no longer than that
const FETCH_AGAIN = 1; // seconds, at least, between two looks for a key that is not known

/** HMAC (v1): the library does it all. */
function bySecret(secret) {
  const webhook = new Webhook(secret);
  return async (headers, body) => webhook.verify(body, headers);
}

/** Ed25519 (v1a): the library knows only v1, so the keys are fetched and tried here. */
function byPublicKeys(url) {
  let keys = new Map();
  let fetched = -Infinity;

  /** The key with this id. One that is not known is new, or nobody's, and one that is known may have been revoked: both are
   *  told by fetching the set anew. */
  async function keyOf(kid) {
    const age = (performance.now() - fetched) / 1000;
    if (age >= KEPT || (!keys.has(kid) && age >= FETCH_AGAIN)) {
      const set = await (await fetch(url)).json();
      keys = new Map(set.keys.map((key) => [key.kid, crypto.createPublicKey({ key, format: "jwk" })]));
      fetched = performance.now();
    }
    return keys.get(kid);
  }

  return async (headers, body) => {
    const [id, at] = [headers["webhook-id"], headers["webhook-timestamp"]];
    if (!(Math.abs(Date.now() / 1000 - Number(at)) <= TOLERANCE)) {
      throw new Error("the timestamp is too far off");
    }
    const signed = Buffer.from(`${id}.${at}.${body}`);
    const entries = headers["webhook-signature"].split(" ").map((entry) => entry.split(","));
    const given = entries.filter(([kind]) => kind === "v1a").map(([, text]) => Buffer.from(text, "base64"));
    // One key for each entry v1a, in their order.
    const kids = (headers["checkflow-key"] ?? "").split(" ");
    for (const [place, signature] of given.entries()) {
      const key = await keyOf(kids[place]);
      if (key && crypto.verify(null, signed, key, signature)) {
        return;
      }
    }
    throw new Error("no signature by a key of this team");
  };
}

async function main() {
  const { SECRET, JWKS } = process.env;
  const verify = SECRET ? bySecret(SECRET) : byPublicKeys(JWKS);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { headers, body } = JSON.parse(line);
    const id = headers["webhook-id"];
    try {
      await verify(headers, body);
      console.log(`verified ${id}`);
    } catch (error) {
      console.log(`refused ${id}: ${error.message}`);
    }
  }
}

main();
