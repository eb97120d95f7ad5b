// Copyright (c) 2026, The MEReQ Lab Developers.
// SPDX-License-Identifier: BSD-3-Clause

// What the person's hands do: keyboard, on-screen sticks, gamepad. All end in four axes, a hold and the gripper.

const AXES = {
  KeyW: [0, 1], KeyS: [0, -1], KeyA: [1, 1], KeyD: [1, -1], KeyE: [2, 1], KeyQ: [2, -1], KeyZ: [3, 1], KeyC: [3, -1],
};
const ARROWS = { ArrowUp: "KeyW", ArrowDown: "KeyS", ArrowLeft: "KeyA", ArrowRight: "KeyD" };
const DEAD_ZONE = 0.12; // of a gamepad's stick: springs do not bring it back to zero
const SHOULDERS = [4, 5, 6, 7]; // as the Gamepad API's standard layout numbers them
const LOWEST_FACE_BUTTON = 0;

export class Hands {
  constructor(onCommand) {
    this.onCommand = onCommand; // called with the name of a button of the page
    this.keys = new Set();
    this.sticks = { move: [0, 0], lift: [0, 0] };
    this.isHeldByButton = false;
    this.isHeldByToggle = false;
    this.toggles = false; // whether what takes over goes on and off, and need not be held
    this.speed = 0.5;
    this.gripper = "keep";
    this.isClosed = false; // whether the robot's fingers are
    this.wasGamepadGripping = false;
    this.wasGamepadHolding = false;
  }

  // Keys of a window; the view is one of its own, which must not take them for its camera.
  listen(target) {
    target.addEventListener("keydown", (event) => this.onKey(event, true), true);
    target.addEventListener("keyup", (event) => this.onKey(event, false), true);
    // A click into the view takes the focus from the page, and away from neither.
    target.addEventListener("blur", () => setTimeout(() => { if (!document.hasFocus()) this.letGo(); }));
  }

  onKey(event, isDown) {
    const code = ARROWS[event.code] ?? event.code;
    if (!isDown) this.keys.delete(code); // wherever it is let go, and with whatever else
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const element = event.target;
    if (element.closest && element.closest("dialog, input:not([type=range]):not([type=checkbox])")) return;
    const commands = { Digit1: "success", Digit2: "failure", Backspace: "discard", KeyP: "pause", Slash: "help" };
    if (!(code in AXES) && !(code in commands) && !["Space", "KeyG", "ShiftLeft", "ShiftRight"].includes(code)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!isDown || event.repeat) return; // a repeated key may have been let go of meanwhile
    if (code in commands) this.onCommand(commands[code]);
    if (code === "KeyG") this.toggleGripper();
    if (code === "Space" && this.toggles) this.isHeldByToggle = !this.isHeldByToggle;
    this.keys.add(code);
  }

  // The other way round from what the fingers do now. What is asked for lasts as long as the hold.
  toggleGripper() {
    const isClosed = this.gripper === "keep" ? this.isClosed : this.gripper === "close";
    this.gripper = isClosed ? "open" : "close";
  }

  // Whatever was held: nobody sees the robot any more.
  letGo() {
    this.keys.clear();
    this.isHeldByButton = false;
    this.isHeldByToggle = false;
  }

  listenToStick(element, name) {
    const knob = element.querySelector("i");
    const move = (event) => {
      const box = element.getBoundingClientRect();
      let x = (2 * (event.clientX - box.left)) / box.width - 1;
      let y = 1 - (2 * (event.clientY - box.top)) / box.height;
      const length = Math.max(1, Math.hypot(x, y));
      x /= length;
      y /= length;
      this.sticks[name] = [x, y];
      knob.style.translate = `${38 * x}px ${-38 * y}px`;
    };
    const stop = () => {
      this.sticks[name] = [0, 0];
      knob.style.translate = "0 0";
    };
    element.addEventListener("pointerdown", (event) => {
      element.setPointerCapture(event.pointerId);
      move(event);
    });
    element.addEventListener("pointermove", (event) => {
      if (element.hasPointerCapture(event.pointerId)) move(event);
    });
    element.addEventListener("pointerup", stop);
    element.addEventListener("pointercancel", stop);
  }

  listenToHold(button) {
    button.addEventListener("pointerdown", (event) => {
      button.setPointerCapture(event.pointerId);
      if (this.toggles) this.isHeldByToggle = !this.isHeldByToggle;
      else this.isHeldByButton = true;
    });
    for (const name of ["pointerup", "pointercancel"]) {
      button.addEventListener(name, () => { this.isHeldByButton = false; });
    }
  }

  readGamepad() {
    // Where the link is neither this machine's nor encrypted, Firefox has no gamepads.
    const pad = (navigator.getGamepads?.() ?? []).find((found) => found !== null && found.mapping === "standard");
    if (!pad) return { axes: [0, 0, 0, 0], isHeld: false };
    const stick = pad.axes.slice(0, 4).map((value) => (Math.abs(value) < DEAD_ZONE ? 0 : value));
    const isGripping = pad.buttons[LOWEST_FACE_BUTTON].pressed;
    if (isGripping && !this.wasGamepadGripping) this.toggleGripper();
    this.wasGamepadGripping = isGripping;
    const isHolding = SHOULDERS.some((button) => pad.buttons[button]?.pressed);
    if (this.toggles && isHolding && !this.wasGamepadHolding) this.isHeldByToggle = !this.isHeldByToggle;
    this.wasGamepadHolding = isHolding;
    return { axes: [-stick[1], -stick[0], -stick[3], -stick[2]], isHeld: isHolding && !this.toggles };
  }

  // What to send now.
  read() {
    const gamepad = this.readGamepad();
    const axes = [...gamepad.axes];
    for (const code of this.keys) {
      if (code in AXES) axes[AXES[code][0]] += AXES[code][1];
    }
    axes[0] += this.sticks.move[1];
    axes[1] -= this.sticks.move[0];
    axes[2] += this.sticks.lift[1];
    axes[3] -= this.sticks.lift[0];
    const isFast = this.keys.has("ShiftLeft") || this.keys.has("ShiftRight");
    const speed = isFast ? 1 : this.speed;
    const isHeldByKey = this.keys.has("Space") && !this.toggles;
    const engaged = isHeldByKey || this.isHeldByButton || this.isHeldByToggle || gamepad.isHeld;
    if (!engaged) this.gripper = "keep";
    return {
      type: "control",
      engaged,
      axes: axes.map((value) => speed * Math.min(1, Math.max(-1, value))),
      gripper: this.gripper,
    };
  }
}
