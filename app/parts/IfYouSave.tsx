// What will be different before anything is: a sentence for each difference, what lint and plan want looked at, and the
// prover's verdict. The helper is asked about the draft while the person works on it; a draft that breaks cannot be saved.
import { useEffect } from "react";

import type { PolicyRule } from "../../helper/contract/policy.ts";
import { bridge } from "../bridge.ts";
import { useFacts, useSpeak, useWord } from "../hooks.ts";
import { usePolicy, type Verdict } from "../stores/policy.ts";
import { useScreen } from "../stores/screen.ts";
import { nodeNow } from "../view/connect.ts";
import { differences, shownDifferences } from "../view/differences.ts";
import { samePolicy } from "../view/draft.ts";
import { preferredNode } from "../view/nodes.ts";
import { sayNote } from "../view/plan-notes.ts";
import { say, span, type Say } from "../view/say.ts";
import { cutsTheWayIn, mayBeSaved } from "../view/verdict.ts";
import { Icon } from "./Icon.tsx";
import { VerdictOf } from "./VerdictOf.tsx";
import s from "./IfYouSave.module.css";

/** Long enough to see whether one can still reach the machine, short enough to wait for. */
const trialSeconds = 60;

export function IfYouSave() {
  const word = useWord();
  const { saved, draft, verdict, saving, lifted } = usePolicy();
  useJudge();
  if (saved === null || draft === null) return null;
  const found = differences(saved, draft);
  const changed = !samePolicy(saved, draft);
  const broken = verdict.kind === "refused" || (verdict.kind === "checked" && !mayBeSaved(verdict.checked));
  return (
    <section className={s.save} aria-label={word("lanes.if-save")}>
      <div className={s.told}>
        <div className="row">
          <h2>{word("lanes.if-save")}</h2>
          <span className="label">
            {changed ? word("lanes.differences", { count: found.length }) : word("lanes.no-difference")}
          </span>
        </div>
        <ol className={s.differences}>
          {found.slice(0, shownDifferences).map((one, index) => (
            <li key={index}>
              <Icon name={one.key === "diff.order" ? "swap" : "right"} />
              <Emphasised words={one} />
            </li>
          ))}
        </ol>
        <ToNotice verdict={verdict} />
      </div>
      <div className={`plate ${s.verdict ?? ""}`}>
        <VerdictOf verdict={verdict} changed={changed} />
        <Buttons
          disabled={!changed || saving || lifted !== null || broken}
          idle={!changed || saving}
          trial={verdict.kind === "checked" && cutsTheWayIn(verdict.checked)}
        />
      </div>
    </section>
  );
}

/** The rule that a sentence speaks of stands out of it, as on its card. */
function Emphasised({ words }: { readonly words: Say }) {
  const speak = useSpeak();
  const text = speak(words);
  const rule = words.data["rule"];
  const at = typeof rule === "string" && rule !== "" ? text.indexOf(rule) : -1;
  if (typeof rule !== "string" || at < 0) return <span>{text}</span>;
  return (
    <span>
      {text.slice(0, at)}
      <b>{rule}</b>
      {text.slice(at + rule.length)}
    </span>
  );
}

const noRules: readonly PolicyRule[] = [];

function ToNotice({ verdict }: { readonly verdict: Verdict }) {
  const word = useWord();
  const rules = usePolicy((store) => store.draft?.rules ?? noRules);
  if (verdict.kind !== "checked") return null;
  const { lints, notes } = verdict.checked;
  // what this kernel cannot give at all is no news of this draft: Settings says it
  const told = [...lints, ...notes.filter((note) => !note.code.startsWith("gate."))].map((note) =>
    sayNote(note, rules),
  );
  if (told.length === 0) return null;
  return (
    <ul className={s.notice} aria-label={word("lanes.to-notice")}>
      {told.slice(0, shownDifferences).map((one, index) => (
        <li key={index}>
          <Icon name="warn" />
          <Emphasised words={one} />
        </li>
      ))}
      {told.length > shownDifferences && (
        <li>
          <span />
          <span className="label">{word("words.more-notes", { count: told.length - shownDifferences })}</span>
        </li>
      )}
    </ul>
  );
}

interface ButtonsProps {
  readonly disabled: boolean;
  readonly idle: boolean;
  /** Whether to offer saving for a while only. */
  readonly trial: boolean;
}

function Buttons({ disabled, idle, trial }: ButtonsProps) {
  const word = useWord();
  const { save, discard } = usePolicy.getState();
  const { tell, tellRefusal } = useScreen.getState();
  const press = async (withinSeconds?: number): Promise<void> => {
    const refusal = await save(bridge(), withinSeconds);
    if (refusal !== null) tellRefusal(refusal);
    else if (withinSeconds === undefined) tell(say("lanes.saved"));
    else tell(say("lanes.trial-saved", { time: span(withinSeconds * 1000) }));
  };
  return (
    <div className={s.buttons}>
      <button type="button" className="btn first grow" disabled={disabled} onClick={() => void press()}>
        {word("lanes.save")}
      </button>
      {trial && (
        <button type="button" className="btn" disabled={disabled} onClick={() => void press(trialSeconds)}>
          {word("lanes.trial", { time: span(trialSeconds * 1000) })}
        </button>
      )}
      <button type="button" className="btn" disabled={idle} onClick={discard}>
        {word("lanes.discard")}
      </button>
    </div>
  );
}

/** Asks the helper about the draft once the hand has rested for a moment. */
function useJudge(): void {
  const { nodes, status } = useFacts();
  const draft = usePolicy((store) => store.draft);
  const lifted = usePolicy((store) => store.lifted);
  const node = nodeNow(status)?.id ?? preferredNode(nodes)?.id ?? null;
  useEffect(() => {
    if (lifted !== null) return undefined;
    const timer = setTimeout(() => void usePolicy.getState().judge(bridge(), node), 300);
    return () => {
      clearTimeout(timer);
    };
  }, [draft, lifted, node]);
}
