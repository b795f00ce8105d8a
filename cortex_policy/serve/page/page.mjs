// The page of `cortex-policy serve`: opens a session, asks for the state of the root, and has it shown. It changes nothing.

import { clock, find, now, put, show, tell, timeText } from "/page/nodes.mjs";
import { render, renderCountdowns, renderDenied } from "/page/parts.mjs";

const STORED = "cortex-policy session"; // for this tab and this origin alone, unlike a cookie
const POLL_MS = 2000, MAX_PAUSE_MS = 10000, REPLY_MS = 15000;
const view = { session: recall(), state: null, tag: "", seenAt: null, failures: 0, isDue: false, resume: () => {} };

function recall() {
  try { return sessionStorage.getItem(STORED) || ""; } catch { return ""; } // storage can be switched off
}

function remember(session) {
  view.session = session;
  try { session ? sessionStorage.setItem(STORED, session) : sessionStorage.removeItem(STORED); } catch { /* as above */ }
}

async function exchangeCode() {
  const code = location.hash.slice(1);
  if (!/^[0-9a-f]+\.[0-9a-f]+$/.test(code)) return;
  history.replaceState(null, "", location.pathname); // so that it is in no bookmark
  const reply = await ask("/page/session", { method: "POST", headers: { Authorization: `Bearer ${code}` } }).catch(() => null);
  if (reply && reply.ok) {
    remember((await reply.json()).session);
    view.tag = "";
  } else if (!view.session) {
    showClosed(reply ? "This link was used before, or is older than a minute." : "The server does not answer.");
  }
}

function ask(path, options) {
  return fetch(path, { cache: "no-store", credentials: "omit", redirect: "error", signal: AbortSignal.timeout(REPLY_MS), ...options });
}

function showClosed(why) {
  remember("");
  view.state = null;
  view.seenAt = null;
  put(find("closed-why"), why);
  const address = location.port ? location.host : `${location.hostname}:${location.protocol === "https:" ? 443 : 80}`;
  const tls = location.protocol === "https:" ? " --cert FILE --key FILE" : "";
  put(find("closed-command"), `cortex-policy serve --tcp ${address} --token FILE${tls} --link`);
  for (const id of ["root", "verdict", "freshness"]) put(find(id), "");
  for (const id of ["alarms", "waiting-list", "denied-list", "grants-list"]) find(id).replaceChildren();
  document.title = "cortex-policy";
  show(find("open"), false);
  show(find("contents"), false);
  show(find("closed"), true);
}

async function update() {
  const text = find("find").value.trim();
  const headers = {};
  if (view.session) headers.Authorization = `Bearer ${view.session}`;
  if (view.tag) headers["If-None-Match"] = view.tag;
  const reply = await ask(`/page/state${text ? `?find=${encodeURIComponent(text)}` : ""}`, { headers });
  if (reply.status === 401) {
    if (find("closed").hidden) showClosed(view.session ? "The session has ended." : "");
    return false;
  }
  if (!reply.ok && reply.status !== 304) throw new Error(String(reply.status));
  const date = Date.parse(reply.headers.get("Date") || "");
  if (date) {
    if (Math.abs(date / 1000 - now()) > 2) clock.offset = (date - Date.now()) / 1000;
    view.seenAt = now();
  }
  view.failures = 0;
  if (reply.status !== 304) {
    view.tag = reply.headers.get("ETag") || "";
    const before = view.state;
    view.state = await reply.json();
    render(view.state, before);
  }
  renderClocks();
  return true;
}

function renderClocks() {
  const since = view.seenAt ? timeText(view.seenAt) : "", isStale = view.failures > 0;
  put(find("freshness"), isStale ? `No answer since ${since || "the start"}; trying again` : since && `as of ${since}`);
  find("freshness").className = isStale ? "bad" : "";
  renderCountdowns();
}

async function pause(milliseconds) {
  if (!view.isDue) await new Promise((resolve) => { view.resume = resolve; setTimeout(resolve, milliseconds); });
  view.isDue = false;
}

function askNow() {
  view.isDue = true;
  view.resume();
}

async function run() {
  await exchangeCode();
  for (;;) {
    while (document.hidden) await pause(MAX_PAUSE_MS);
    let isOpen = true;
    try {
      isOpen = await update();
    } catch {
      view.failures += 1;
      if (view.failures === 2 && view.state) tell("The server does not answer; what is shown may be old");
      renderClocks();
    }
    await pause(!isOpen ? MAX_PAUSE_MS : Math.min(MAX_PAUSE_MS, POLL_MS * 2 ** Math.min(view.failures, 4)));
  }
}

find("denied-all").addEventListener("click", ({ target }) => {
  target.setAttribute("aria-expanded", String(target.getAttribute("aria-expanded") === "false"));
  renderDenied(view.state.denied);
});
document.addEventListener("visibilitychange", askNow);
addEventListener("hashchange", async () => { await exchangeCode(); askNow(); });
let typing = 0;
find("find").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => { view.tag = ""; askNow(); }, 200);
});
setInterval(renderClocks, 1000);
run();
