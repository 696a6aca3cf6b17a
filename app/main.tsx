// Start-up as a flat list: stores to the bridge, the second hand, then the window.
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./App.tsx";
import { bridge } from "./bridge.ts";
import { startClock } from "./stores/clock.ts";
import { wireStores } from "./stores/wire.ts";
import "./style/base.css";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html lost its #root");
wireStores(bridge());
startClock();
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
