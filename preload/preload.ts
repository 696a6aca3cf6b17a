// Runs in the window's sandbox before the page and gives it exactly the bridge: one function for each call, and `on` for
// the events. Neither ipcRenderer nor an Electron event ever reaches the page.
import { contextBridge, ipcRenderer } from "electron";

import { bridgeKey, callChannel, callNames, eventChannel, eventNames, type EventName } from "./bridge.ts";

function on(event: EventName, listener: (data: unknown) => void): () => void {
  if (!eventNames.includes(event)) throw new Error(`no such event: ${event}`);
  const hear = (_event: unknown, data: unknown): void => listener(data);
  ipcRenderer.on(eventChannel(event), hear);
  return () => void ipcRenderer.removeListener(eventChannel(event), hear);
}

const calls = Object.fromEntries(
  callNames.map((name) => [
    name,
    (...args: unknown[]): Promise<unknown> => ipcRenderer.invoke(callChannel(name), ...args),
  ]),
);

contextBridge.exposeInMainWorld(bridgeKey, { ...calls, on });
