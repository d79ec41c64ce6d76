// Does in Firefox what it is told on stdin, a JSON object a line: {"goto": address}, or {"run": function, "given": its
// arguments}. Answers each with a line, {"value": ...} or {"error": ...}, and ends Firefox with the end of stdin.

import { createInterface } from 'node:readline';
import puppeteer from 'puppeteer-core';

const ANSWER_MILLISECONDS = 30_000;
const LOCAL = /^(http:\/\/127\.0\.0\.1:|blob:|data:|about:)/;

const browser = await puppeteer.launch({
  browser: 'firefox',
  executablePath: process.argv[2],
  headless: true,
  protocolTimeout: ANSWER_MILLISECONDS,
  // sound without a click before it, as the tests' chromium allows, too
  extraPrefsFirefox: { 'media.autoplay.default': 0, 'media.autoplay.blocking_policy': 0 },
});
const page = await browser.newPage();
const faults = [];
// what the page's policy blocks comes as an error, too
page.on('pageerror', (error) => faults.push(String(error)));
page.on('request', (request) => LOCAL.test(request.url()) || faults.push(`asked for ${request.url()}`));

async function done(order) {
  if (order.goto) await page.goto(order.goto);
  return order.run ? page.evaluate(`(${order.run})(...${JSON.stringify(order.given)})`) : null;
}

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
say({ value: await browser.version() });
for await (const line of createInterface({ input: process.stdin })) {
  try {
    const value = await done(JSON.parse(line));
    say(faults.length ? { error: `the page: ${faults.splice(0).join('; ')}` } : { value: value ?? null });
  } catch (error) {
    say({ error: String(error) });
  }
}
await browser.close();
