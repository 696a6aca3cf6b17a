// The same sentence on every screen but Connect: lamp, what is true now, node, address, time, packets beside, one button.
import { bridge } from "../bridge.ts";
import { useFacts, useSpeak, useWord } from "../hooks.ts";
import { useScreen } from "../stores/screen.ts";
import { useStatus } from "../stores/status.ts";
import { connectView, nodeNow } from "../view/connect.ts";
import { span } from "../view/say.ts";
import { Lamp } from "./Lamp.tsx";
import s from "./NowStrip.module.css";

export function NowStrip() {
  const facts = useFacts();
  const speak = useSpeak();
  const word = useWord();
  const view = connectView(facts);
  const disconnect = useStatus((store) => store.disconnect);
  const wish = useStatus((store) => store.wish);
  const tellRefusal = useScreen((store) => store.tellRefusal);
  const show = useScreen((store) => store.show);
  const { status, traffic, now } = facts;
  const up = status !== null && !["off", "failed"].includes(status.state.kind);
  const button = view.acts.find((act) => act.kind === "disconnect");
  return (
    <header className={`${s.now ?? ""} is-${view.lamp}`} aria-label={word("now.label")}>
      <Lamp state={view.lamp} size={22} water={view.water} />
      <span className={s.say}>{speak(view.headline)}</span>
      <span className={s.facts}>
        {status?.state.kind === "connected" && <span className="cut">{nodeNow(status)?.name}</span>}
        {view.addresses[0] !== undefined && <span className="mono wide">{view.addresses[0]}</span>}
        {up && <span className="wide">{speak(span(now - status.since))}</span>}
        {up && view.situation !== "leaking" && traffic?.wire != null && (
          <span>{word("now.beside", { count: traffic.wire.beside })}</span>
        )}
        {up && (traffic?.wire?.missed ?? 0) > 0 && (
          <span className="wide">{word("now.missed", { count: traffic?.wire?.missed ?? 0 })}</span>
        )}
      </span>
      {button === undefined ? (
        <button
          type="button"
          className="btn tiny"
          onClick={() => {
            show("connect");
          }}
        >
          {word("screen.connect")}
        </button>
      ) : (
        <button
          type="button"
          className="btn tiny"
          disabled={wish === "disconnect"}
          onClick={() => {
            void disconnect(bridge()).then(tellRefusal);
          }}
        >
          {speak(button.say)}
        </button>
      )}
    </header>
  );
}
