// The policy as something to look at and move: the board, the two switches of the local network and IPv6, and what will
// be different before anything is. The helper is asked about the draft while the person works on it.
import { Switch, ToggleGroup } from "radix-ui";
import { useEffect, useId, useState } from "react";

import type { PolicyRule } from "../../helper/contract/policy.ts";
import { bridge } from "../bridge.ts";
import { useFacts, useSpeak, useWord } from "../hooks.ts";
import { Board } from "../parts/Board.tsx";
import { Icon } from "../parts/Icon.tsx";
import { RuleEditor } from "../parts/RuleEditor.tsx";
import { usePolicy, type Verdict } from "../stores/policy.ts";
import { useScreen } from "../stores/screen.ts";
import { nodeNow } from "../view/connect.ts";
import { differences, shownDifferences } from "../view/differences.ts";
import { presetOf, samePolicy, type Preset } from "../view/draft.ts";
import { preferredNode } from "../view/nodes.ts";
import { sayNote } from "../view/plan-notes.ts";
import { sayRefusal } from "../view/refusal.ts";
import { say } from "../view/say.ts";
import s from "./Lanes.module.css";

const presets: readonly Preset[] = ["everything", "all-tunnel"];

export function Lanes() {
  const word = useWord();
  const { draft, saved } = usePolicy();
  const preset = usePolicy((store) => store.preset);
  const [editing, setEditing] = useState<PolicyRule | "new" | null>(null);
  if (draft === null || saved === null) return <div className="page" />;
  return (
    <div className={`page ${s.page ?? ""}`}>
      <div className="head">
        <h1>{word("screen.lanes")}</h1>
        <span className={`label ${s.read ?? ""}`}>{word("lanes.read")}</span>
        <span className="grow" />
        <ToggleGroup.Root
          type="single"
          className="seg"
          aria-label={word("lanes.presets")}
          value={presetOf(draft) ?? "own"}
          onValueChange={(value) => {
            const chosen = presets.find((one) => one === value);
            if (chosen !== undefined) preset(chosen);
          }}
        >
          {presets.map((name) => (
            <ToggleGroup.Item key={name} value={name}>
              {word(`lanes.preset.${name}`)}
            </ToggleGroup.Item>
          ))}
          {/* the person's own mixture: shown, and reached by making one */}
          <ToggleGroup.Item value="own">{word("lanes.preset.own")}</ToggleGroup.Item>
        </ToggleGroup.Root>
        <button
          type="button"
          className="btn"
          onClick={() => {
            setEditing("new");
          }}
        >
          <Icon name="plus" />
          {word("lanes.add")}
        </button>
      </div>
      <Board
        policy={draft}
        onEdit={(id) => {
          const rule = draft.rules.find((one) => one.id === id);
          if (rule !== undefined) setEditing(rule);
        }}
      />
      <Switches />
      <IfYouSave />
      {editing !== null && (
        <RuleEditor
          rule={editing === "new" ? null : editing}
          onClose={() => {
            setEditing(null);
          }}
        />
      )}
    </div>
  );
}

function Switches() {
  const word = useWord();
  const lanId = useId();
  const draft = usePolicy((store) => store.draft);
  const edit = usePolicy((store) => store.edit);
  if (draft === null) return null;
  return (
    <div className={s.switches}>
      <div className="row">
        <Switch.Root
          id={lanId}
          className="switch"
          checked={draft.lan.allow}
          onCheckedChange={(allow) => {
            edit((policy) => ({ ...policy, lan: { ...policy.lan, allow } }));
          }}
        >
          <Switch.Thumb />
        </Switch.Root>
        <label htmlFor={lanId}>{word("lanes.lan")}</label>
      </div>
      <div className="row">
        <span>IPv6</span>
        <ToggleGroup.Root
          type="single"
          className="seg"
          aria-label="IPv6"
          value={draft.ipv6}
          onValueChange={(value) => {
            if (value === "carry" || value === "block") edit((policy) => ({ ...policy, ipv6: value }));
          }}
        >
          <ToggleGroup.Item value="carry">{word("lanes.ipv6.carry")}</ToggleGroup.Item>
          <ToggleGroup.Item value="block">{word("lanes.ipv6.block")}</ToggleGroup.Item>
        </ToggleGroup.Root>
      </div>
      <p className="label">{word("lanes.apps-later")}</p>
    </div>
  );
}

function IfYouSave() {
  const word = useWord();
  const speak = useSpeak();
  const { saved, draft, verdict, saving, lifted } = usePolicy();
  const { save, discard } = usePolicy.getState();
  const { tell, tellRefusal } = useScreen.getState();
  useJudge();
  if (saved === null || draft === null) return null;
  const found = differences(saved, draft);
  const changed = !samePolicy(saved, draft);
  const press = async (): Promise<void> => {
    const refusal = await save(bridge());
    if (refusal === null) tell(say("lanes.saved"));
    else tellRefusal(refusal);
  };
  return (
    <section className={s.save} aria-label={word("lanes.if-save")}>
      <div>
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
              <span>{speak(one)}</span>
            </li>
          ))}
        </ol>
      </div>
      <div className={`plate ${s.verdict ?? ""}`}>
        <VerdictOf verdict={verdict} changed={changed} />
        <div className={s.buttons}>
          <button
            type="button"
            className="btn first grow"
            disabled={!changed || saving || lifted !== null || verdict.kind === "refused"}
            onClick={() => void press()}
          >
            {word("lanes.save")}
          </button>
          <button type="button" className="btn" disabled={!changed || saving} onClick={discard}>
            {word("lanes.discard")}
          </button>
        </div>
      </div>
    </section>
  );
}

function VerdictOf({ verdict, changed }: { readonly verdict: Verdict; readonly changed: boolean }) {
  const word = useWord();
  const speak = useSpeak();
  const draft = usePolicy((store) => store.draft);
  switch (verdict.kind) {
    case "unasked":
      return <p className="soft">{word(changed ? "lanes.verdict.unasked" : "lanes.verdict.same")}</p>;
    case "asking":
      return <p className="soft">{word("lanes.verdict.asking")}</p>;
    case "refused":
      return (
        <div role="status">
          <span className="chip bad">
            <Icon name="cross" />
            {word("lanes.verdict.refused")}
          </span>
          <p className={s.reason}>{speak(sayRefusal(verdict.refusal))}</p>
        </div>
      );
    case "holds":
      return (
        <>
          <div className="row" role="status">
            <span className="chip ok">
              <Icon name="check" />
              {word("lanes.verdict.can")}
            </span>
          </div>
          {verdict.notes.map((note, index) => (
            <p key={index} className="label">
              {speak(sayNote(note, draft?.rules ?? []))}
            </p>
          ))}
          <details className={s.plan}>
            <summary>{word("lanes.verdict.plan", { count: verdict.text.trim().split("\n").length })}</summary>
            <pre className="mono" tabIndex={0}>
              {verdict.text}
            </pre>
          </details>
        </>
      );
  }
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
