// Drives a browser: each line of standard input is a command, each line of standard output its result.
// node browser.mjs DIRECTORY CHROMIUM; the directory has puppeteer-core and axe-core, installed by npm.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [directory, chromium] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${directory}/package.json`));
const { default: puppeteer } = await import(pathToFileURL(require.resolve("puppeteer-core")));
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const browser = await puppeteer.launch({
  executablePath: chromium, pipe: true,
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run"],
});
const page = await browser.newPage();
const problems = [];
page.on("pageerror", (error) => problems.push(String(error)));
page.on("console", (message) => { if (["error", "warn"].includes(message.type())) problems.push(message.text()); });
const devtools = await page.createCDPSession();
await devtools.send("Audits.enable");
devtools.on("Audits.issueAdded", ({ issue }) => {
  if (issue.code === "ContentSecurityPolicyIssue") problems.push(JSON.stringify(issue.details));
});

const commands = {
  open: async ({ url }) => (await page.goto(url, { waitUntil: "load" }))?.status() ?? null,
  reload: async () => (await page.reload({ waitUntil: "load" })).status(),
  look: async ({ width, height, scheme, motion }) => {
    await page.setViewport({ width, height: height || 900 });
    await page.emulateMediaFeatures([
      { name: "prefers-color-scheme", value: scheme || "light" },
      { name: "prefers-reduced-motion", value: motion || "reduce" },
    ]);
  },
  // through the debugger, which no CSP keeps from it
  evaluate: async ({ expression }) => {
    const { result, exceptionDetails } = await devtools.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description || exceptionDetails.text);
    return result.value ?? null;
  },
  wait: async ({ expression, seconds }) => {
    for (let left = seconds * 20; left > 0; left -= 1) {
      if (await commands.evaluate({ expression: `Boolean(${expression})` })) return true;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return false;
  },
  press: async ({ key }) => { await page.keyboard.press(key); },
  permit: async ({ origin, names }) => { await browser.defaultBrowserContext().overridePermissions(origin, names); },
  type: async ({ text }) => { await page.keyboard.type(text); },
  axe: async () => {
    await commands.evaluate({ expression: `${axe}; null` });
    const { violations } = await commands.evaluate({ expression: "axe.run()" });
    return violations.map((one) => `${one.id}: ${one.nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`);
  },
  screenshot: async ({ path, full }) => { await page.screenshot({ path, fullPage: Boolean(full) }); },
  problems: async () => problems.splice(0),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { name, ...options } = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await commands[name](options)) ?? null };
  } catch (error) {
    answer = { error: String(error.stack || error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
