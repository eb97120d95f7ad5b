// Copyright (c) 2026, The MEReQ Lab Developers.
// SPDX-License-Identifier: BSD-3-Clause

// The page: says what the hands do thirty times a second, and shows what the robots' process tells.

import { Hands } from "./hands.js";

const CONTROL_MS = 33; // the robot's process takes silence of 150 ms for nobody being there
const RETRY_MS = 500;
const SILENCE_MS = 4000; // from which the connection is taken to be lost
const VIEW_MS = 30000; // in which the view has to show something, or else it is loaded again
const DRAWN_MS = 500; // from the first that comes until it is drawn
const TRACE_STEPS = 200; // 10 s at 20 Hz

const $ = (id) => document.getElementById(id);
const key = (localStorage.mereqKey ??= crypto.getRandomValues(new Uint32Array(4)).join("-"));
const tab = crypto.getRandomValues(new Uint32Array(4)).join("-"); // the same when it connects again
const hands = new Hands(press);
let socket = null;
let task = null;
let state = {};
let delay = null;
let heardAt = performance.now();
let trace = [];
let lastTick = null;
let shownRobot = null;
let shownAt = 0;
let load = 0; // of the view, counted
let seenAt = null; // when something came through the connection of that load, until it breaks
let isOver = false; // whether the server has said that the run is done
let problem = null; // why the session has ended, if an error ended it
let asked = null; // the robot that was asked for, until there is an answer
let isKeyOld = false; // whether this browser's key is that of a program that has ended
let isElsewhere = false; // whether this person holds the robot in another tab

function connect() {
  const address = new URL("control", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  address.search = "";
  socket = new WebSocket(address);
  heardAt = performance.now();
  socket.onmessage = (event) => hear(JSON.parse(event.data));
  socket.onclose = lose;
}

// Begin again. A browser takes its time to close what nobody answers on, so the old socket is not waited for.
function lose() {
  socket.onmessage = socket.onclose = null;
  socket.close();
  socket = null;
  hands.letGo();
  state = {};
  asked = seenAt = null;
  show();
  checkKey();
  setTimeout(connect, RETRY_MS);
}

// A program that was started again has another key, which only its new link holds.
async function checkKey() {
  const answer = await fetch(location.href, { cache: "no-store" }).catch(() => null); // nobody there
  if (answer) isKeyOld = answer.status === 403;
}

function say(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function ping() {
  return { type: "ping", time: performance.now(), waits: state.robot != null && !document.hidden && !isViewShown() };
}

function introduce() {
  if (sessionStorage.mereqPerson) say({ type: "hello", person: sessionStorage.mereqPerson, key, tab });
  else if (!$("hello").open) $("hello").showModal();
}

function hear(message) {
  heardAt = performance.now();
  if (message.type === "task") {
    task = message;
    isOver = false;
    problem = null;
    shownRobot = null; // the view is this connection's
    showTask();
    introduce();
  } else if (message.type === "welcome") {
    say({ type: "seat", robot: Number(sessionStorage.mereqRobot ?? 0) });
  } else if (message.type === "refused") {
    refuse(message);
  } else if (message.type === "pong") {
    delay = performance.now() - message.time;
  } else if (message.type === "state") {
    state = message;
    if (state.robot === asked) asked = null;
    show();
  }
}

function refuse(message) {
  asked = null;
  $("banner").textContent = message.text;
  $("banner").dataset.until = performance.now() + 3000;
  isElsewhere = Boolean(message.elsewhere);
}

function take(robot) {
  hands.letGo(); // what is held is the other one
  asked = robot;
  sessionStorage.mereqRobot = robot;
  say({ type: "seat", robot, elsewhere: isElsewhere });
  isElsewhere = false;
}

function press(name) {
  if (name === "help") {
    hands.letGo(); // of keys whose end the dialog would get
    $("help").open ? $("help").close() : $("help").showModal();
  }
  else if (name === "pause") say({ type: "press", button: state.paused ? "resume" : "pause" });
  else say({ type: "press", button: name });
}

function showTask() {
  document.title = `${task.task}: supervise`;
  $("task").textContent = task.task;
  $("goal").textContent = task.goal;
  $("wish").textContent = task.wish ? `What the synthetic person wants: ${task.wish}` : "";
  $("trace-label").textContent = task.trace ? `${task.trace.label} [${task.trace.unit}]` : "";
  $("help-turn").hidden = !task.turns;
  $("help-grip").hidden = !task.grips;
}

// How the view is drawn; a browser that draws without a GPU may be too slow to steer otherwise.
const PICTURES = { fine: (path) => path, coarse: (path) => `${path}?fixedDpr=0.4`, none: () => "about:blank" };

function showView(robot) {
  if (shownRobot === robot || !task?.view) return;
  if (shownRobot !== null) trace = [];
  shownRobot = robot;
  shownAt = performance.now();
  seenAt = null;
  load += 1;
  hands.letGo(); // a view that is being loaded does not say which keys are released
  $("view").src = PICTURES[$("picture").value](`view/${robot}/${task.view}/${load}/`);
  $("view").onload = () => hands.listen($("view").contentWindow);
}

// Nobody watches what they do not see: nothing is said of the hands before something is drawn.
function isViewShown() {
  if (!task?.view || $("picture").value === "none") return true;
  return seenAt !== null && performance.now() - seenAt > DRAWN_MS && Boolean($("view").contentDocument?.querySelector("canvas"));
}

// Load the view again where its connection broke, or never came: it would not try again before somebody clicks on it.
function watchView() {
  if (socket?.readyState !== WebSocket.OPEN) return;
  const sees = state.sees?.includes(`${shownRobot}/${load}`) ?? false;
  if (sees) seenAt ??= performance.now();
  else if ($("picture").value !== "none" && (seenAt !== null || performance.now() - shownAt > VIEW_MS)) shownRobot = null;
  showView(state.robot ?? 0);
}

const KEY_IS_OLD = "started again: open its new link";
const PHASES = {
  starting: "starting",
  supervising: "watch, and take over when it goes wrong",
  "nobody there": "waiting for somebody to watch",
  loading: "waiting for the picture",
  judging: "how was it? 1, 2, ⌫",
  paused: "paused",
  waiting: "the round is over",
  learning: "learning from you",
  evaluating: "comparing policies",
  done: "done",
  failed: "the session has ended",
};

function show() {
  const own = state.own ?? {};
  const isSeated = state.robot != null;
  const isSupervising = state.phase === "supervising";
  const isPerson = isSupervising && Boolean(own.in_control);
  hands.isClosed = Boolean(own.is_closed);
  document.body.dataset.control = !isSeated || !isSupervising || own.is_over ? "nobody" : isPerson ? "person" : "robot";
  watchView();
  isOver ||= state.phase === "done";
  problem ??= state.problem ?? null;
  document.body.classList.toggle("is-failed", problem !== null);
  if (problem !== null || !($("banner").dataset.until > performance.now())) $("banner").textContent = banner(own, isSeated, isPerson);
  $("sticks").hidden = !isSeated;
  $("phase").textContent = socket?.readyState === WebSocket.OPEN ? (PHASES[state.phase] ?? state.phase ?? "connecting") : "connecting";
  $("round").textContent = state.round ? `round ${state.round}` : "";
  $("episode").textContent = state.episodes ? `${state.episode} of ${state.episodes}` : "–";
  $("steps-left").textContent = own.step == null ? "–" : `${state.steps - own.step} of ${state.steps}`;
  $("samples").textContent = state.round_samples == null ? "–" : (state.samples_before ?? 0) + state.round_samples;
  $("rate").textContent = state.rate == null ? "–" : percent(state.rate) + (state.threshold ? ` (goal ${percent(state.threshold)})` : "");
  const learning = state.learning;
  $("progress").value = learning ? learning.done : own.step == null ? 0 : own.step / state.steps;
  if (learning) $("phase").textContent = `${PHASES.learning}: ${learning.time_left} left`;
  for (const button of document.querySelectorAll("[data-press]")) {
    button.disabled = !isSeated;
    const name = button.dataset.press;
    button.classList.toggle("is-on", state.ending === name || (name === "success" && own.mark === true)
      || (name === "failure" && own.mark === false) || (name === "pause" && Boolean(state.paused)));
  }
  showSeats();
  if (state.tick !== lastTick) {
    lastTick = state.tick;
    if (isSupervising) trace.push({ value: own.trace ?? null, isPerson });
    if (trace.length > TRACE_STEPS) trace.shift();
    drawTrace();
  }
  $("health").textContent = health();
}

function banner(own, isSeated, isPerson) {
  if (problem !== null && !isKeyOld) return problem;
  if (socket?.readyState !== WebSocket.OPEN) return isOver ? PHASES.done : isKeyOld ? KEY_IS_OLD : "connection lost, trying again";
  if (!isSeated) return "you are looking on";
  if (!isViewShown()) return PHASES.loading;
  if (state.phase === "learning") return "the robot learns";
  if (state.phase !== "supervising") return PHASES[state.phase] ?? state.phase ?? "";
  if (own.is_over) return "episode over";
  if (own.counts === false) return "this episode does not count: wait for the next";
  return isPerson ? "YOU are in control" : "the robot is in control";
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

function health() {
  if (state.tick == null) return "";
  const parts = [`step ${state.busy_ms} ms`, `${state.missed} of ${state.tick} late`];
  if (delay !== null) parts.push(`page to robot and back ${delay.toFixed(0)} ms`);
  if (state.dropped) parts.push(`${state.dropped} messages refused`);
  return parts.join(", ");
}

function showSeats() {
  if (!task || !state.seats) return;
  $("seats").hidden = task.robots < 2 && state.robot != null;
  const names = state.seats.map((name, robot) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = isElsewhere ? `steer robot ${robot + 1} here` : `robot ${robot + 1}${name ? `: ${name}` : ""}`;
    button.classList.toggle("is-on", robot === state.robot);
    button.onclick = () => take(robot);
    return button;
  });
  const shown = JSON.stringify([state.seats, state.robot, isElsewhere]);
  if ($("seats").dataset.shown === shown) return; // a new button under the pointer would lose the click
  $("seats").dataset.shown = shown;
  $("seats").replaceChildren(...names);
}

function drawTrace() {
  const { trace: about } = task ?? {};
  if (!about) return;
  const canvas = $("trace");
  const pen = canvas.getContext("2d");
  const [low, high] = about.limits;
  const x = (index) => (index * canvas.width) / TRACE_STEPS;
  const y = (value) => canvas.height * (1 - (Math.min(high, Math.max(low, value)) - low) / (high - low));
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = "#d3f9d8";
  pen.fillRect(0, y(about.preferred[1]), canvas.width, y(about.preferred[0]) - y(about.preferred[1]));
  pen.lineWidth = 2;
  for (let index = 1; index < trace.length; index += 1) {
    const [last, next] = [trace[index - 1], trace[index]];
    if (last.value === null || next.value === null) continue;
    pen.strokeStyle = next.isPerson ? "#d9480f" : "#1971c2";
    pen.beginPath();
    pen.moveTo(x(index - 1), y(last.value));
    pen.lineTo(x(index), y(next.value));
    pen.stroke();
  }
  const latest = trace.at(-1)?.value;
  $("trace-value").textContent = latest == null ? "" : latest.toFixed(1);
}

if (location.search === "?again") history.replaceState(null, "", "/"); // see the server's AGAIN
hands.listen(window);
$("picture").value = new URLSearchParams(location.search).get("picture") ?? localStorage.mereqPicture ?? "fine";
$("picture").onchange = () => {
  localStorage.mereqPicture = $("picture").value;
  shownRobot = null;
  show();
};
hands.listenToStick($("stick-move"), "move");
hands.listenToStick($("stick-lift"), "lift");
hands.listenToHold($("hold"));
$("speed").oninput = () => { hands.speed = Number($("speed").value); };
$("toggle").onchange = () => { hands.toggles = $("toggle").checked; hands.letGo(); };
$("show-help").onclick = () => press("help");
for (const button of document.querySelectorAll("[data-press]")) {
  button.onclick = () => { press(button.dataset.press); button.blur(); };
}
$("hello").addEventListener("cancel", (event) => event.preventDefault());
$("hello").addEventListener("close", () => {
  sessionStorage.mereqPerson = $("person").value.trim() || "somebody";
  introduce();
});
document.addEventListener("visibilitychange", () => { if (document.hidden) hands.letGo(); });
setInterval(() => {
  if (state.robot != null && asked === null && !document.hidden) say(isViewShown() ? hands.read() : ping());
}, CONTROL_MS);
setInterval(() => {
  say(ping());
  show();
  if (socket && performance.now() - heardAt > SILENCE_MS) lose(); // a network that is gone does not say so
}, 1000);
connect();
