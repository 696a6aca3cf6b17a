// The rail: the mark, the screens there are, and what stands behind the window (helper, proof).
import type { Status } from "../../helper/contract/status.ts";
import { useFacts, useSpeak, useWord } from "../hooks.ts";
import { screens, useScreen, type ScreenName } from "../stores/screen.ts";
import { age, say, type Say } from "../view/say.ts";
import { Icon } from "./Icon.tsx";
import { Logo } from "./Lamp.tsx";
import s from "./Rail.module.css";

export function Rail() {
  const word = useWord();
  return (
    <nav className={s.rail} aria-label={word("rail.label")}>
      <div className={s.brand}>
        <Logo />
        <span className="wide">Culvert</span>
      </div>
      {screens.slice(0, -1).map((name, index) => (
        <Item key={name} name={name} digit={index + 1} />
      ))}
      <div className={s.end}>
        <Item name="settings" digit={screens.length} />
        <Behind />
      </div>
    </nav>
  );
}

function Item({ name, digit }: { readonly name: ScreenName; readonly digit: number }) {
  const word = useWord();
  const current = useScreen((store) => store.screen === name);
  const show = useScreen((store) => store.show);
  const label = word(`screen.${name}`);
  return (
    <button
      type="button"
      className={`${s.item ?? ""} ${current ? (s.on ?? "") : ""}`}
      aria-current={current ? "page" : undefined}
      aria-label={label}
      aria-keyshortcuts={`Control+${String(digit)}`}
      title={`${label}  Ctrl+${String(digit)}`}
      onClick={() => {
        show(name);
      }}
    >
      <Icon name={name} />
      <span className="wide">{label}</span>
    </button>
  );
}

function Behind() {
  const { link, status, now } = useFacts();
  const speak = useSpeak();
  const word = useWord();
  return (
    <div className={`${s.behind ?? ""} wide`}>
      <div className="label">
        <span>{word("rail.helper")}</span>
        <span>{word(`rail.link.${link?.kind ?? "reading"}`)}</span>
      </div>
      <div className="label">
        <span>{word("rail.proof")}</span>
        <span>{speak(proofWords(status, now))}</span>
      </div>
    </div>
  );
}

function proofWords(status: Status | null, now: number): Say {
  if (status === null) return say("rail.not-known");
  if (status.state.kind === "off" || status.state.kind === "failed") return say("rail.not-needed");
  return status.proof === null ? say("rail.no-proof") : say("readings.ago", { time: age(now - status.proof.at) });
}
