// The verdict on a draft: it holds, with what was looked at; or the packet that breaks it and its way; or the helper's no.
import { useSpeak, useWord } from "../hooks.ts";
import { usePolicy, type Verdict } from "../stores/policy.ts";
import type { PolicyRule } from "../../helper/contract/policy.ts";
import type { Checked, CounterexampleTold, Difference } from "../../helper/contract/verdict.ts";
import { sayRefusal } from "../view/refusal.ts";
import { sayBroken, sayProof } from "../view/verdict.ts";
import { Icon } from "./Icon.tsx";
import s from "./VerdictOf.module.css";

export function VerdictOf({ verdict, changed }: { readonly verdict: Verdict; readonly changed: boolean }) {
  const word = useWord();
  const speak = useSpeak();
  const rules = usePolicy((store) => store.draft?.rules ?? noRules);
  switch (verdict.kind) {
    case "unasked":
      return <p className="soft">{word(changed ? "lanes.verdict.unasked" : "lanes.verdict.same")}</p>;
    case "asking":
      return <p className="soft">{word("lanes.verdict.asking")}</p>;
    case "refused":
      return (
        <div role="status">
          <RefusedChip />
          <p className={s.reason}>{speak(sayRefusal(verdict.refusal, { rules }))}</p>
        </div>
      );
    case "checked":
      return <CheckedOf checked={verdict.checked} />;
  }
}

const noRules: readonly PolicyRule[] = [];

function CheckedOf({ checked }: { readonly checked: Checked }) {
  const word = useWord();
  if (checked.counterexample !== null) return <Broken broken={checked.counterexample} />;
  return (
    <>
      <div role="status">
        {checked.proof === null ? (
          <p className="soft">{word("lanes.verdict.no-node")}</p>
        ) : (
          <Proven proof={checked.proof} />
        )}
      </div>
      <Lines difference={checked.difference} />
    </>
  );
}

function Proven({ proof }: { readonly proof: NonNullable<Checked["proof"]> }) {
  const word = useWord();
  const speak = useSpeak();
  const told = sayProof(proof);
  return (
    <>
      <div className={s.row}>
        <span className="chip ok">
          <Icon name="check" />
          {word("lanes.verdict.holds")}
        </span>
        <span className="label">{speak(told.sizes)}</span>
      </div>
      <p className={`soft ${s.reason ?? ""}`}>{speak(told.proof)}</p>
    </>
  );
}

function Broken({ broken }: { readonly broken: CounterexampleTold }) {
  const word = useWord();
  const speak = useSpeak();
  const way = broken.end === null ? broken.way : [...broken.way, broken.end];
  return (
    <div role="status">
      <RefusedChip />
      <p className={s.reason}>{speak(sayBroken(broken))}</p>
      {way.length > 0 && (
        <details className={s.lines}>
          <summary>{word("lanes.verdict.way")}</summary>
          <pre className="mono" tabIndex={0}>
            {way.join("\n")}
          </pre>
          <p className="label">{word("broken.when", { state: broken.state, fault: broken.fault })}</p>
        </details>
      )}
    </div>
  );
}

function RefusedChip() {
  const word = useWord();
  return (
    <span className="chip bad">
      <Icon name="cross" />
      {word("lanes.verdict.refused")}
    </span>
  );
}

/** What would be typed by hand: what comes, and what goes. */
function Lines({ difference }: { readonly difference: Difference }) {
  const word = useWord();
  const { added, removed, more } = difference;
  if (added.length + removed.length + more === 0) return null;
  return (
    <details className={s.lines}>
      <summary>{word("lanes.verdict.plan", { added: added.length, removed: removed.length })}</summary>
      <pre className="mono" tabIndex={0}>
        {removed.map((line, index) => (
          <del key={`- ${String(index)}`}>{`− ${line}\n`}</del>
        ))}
        {added.map((line, index) => (
          <ins key={`+ ${String(index)}`}>{`+ ${line}\n`}</ins>
        ))}
        {more > 0 && word("lanes.verdict.more", { count: more })}
      </pre>
    </details>
  );
}
