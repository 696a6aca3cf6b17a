// Start-up as a flat list: stores to the bridge, the second hand, then the window.
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

// first: what a module says of a class comes after what all share
import "./style/base.css";
import { App } from "./App.tsx";
import { bridge } from "./bridge.ts";
import { startClock } from "./stores/clock.ts";
import { wireStores } from "./stores/wire.ts";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html lost its #root");
wireStores(bridge());
startClock();
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
