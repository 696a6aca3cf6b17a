// The policy as something to look at and move: presets, the board of rules in their order, the two switches of the local
// network and IPv6, and what will be different before anything is.
import { Switch, ToggleGroup } from "radix-ui";
import { useEffect, useId, useState } from "react";

import type { Lane, PolicyRule } from "../../helper/contract/policy.ts";
import { bridge } from "../bridge.ts";
import { useWord } from "../hooks.ts";
import { Board } from "../parts/Board.tsx";
import { Icon } from "../parts/Icon.tsx";
import { IfYouSave } from "../parts/IfYouSave.tsx";
import { RuleEditor } from "../parts/RuleEditor.tsx";
import { usePolicy } from "../stores/policy.ts";
import { usePrograms } from "../stores/programs.ts";
import { laneWanted, presetOf, presets, withPreset } from "../view/draft.ts";
import s from "./Lanes.module.css";

/** A rule that is there, or a new one with the lane it begins with. */
type Editing = { readonly rule: PolicyRule | null; readonly lane: Lane };

export function Lanes() {
  const word = useWord();
  const { draft, saved } = usePolicy();
  const preset = usePolicy((store) => store.preset);
  const [editing, setEditing] = useState<Editing | null>(null);
  useEffect(() => {
    void usePrograms.getState().read(bridge());
  }, []);
  if (draft === null || saved === null) return <div className="page" />;
  return (
    <div className={`page ${s.page ?? ""}`}>
      <div className="head">
        <h1>{word("screen.lanes")}</h1>
        <span className={`label grow ${s.read ?? ""}`}>{word("lanes.read")}</span>
        <ToggleGroup.Root
          type="single"
          className="seg"
          aria-label={word("lanes.presets")}
          value={presetOf(draft)}
          onValueChange={(value) => {
            const chosen = presets.find((one) => one === value);
            if (chosen === undefined) return;
            preset(chosen);
            const lane = laneWanted(withPreset(draft, chosen), chosen);
            if (lane !== null) setEditing({ rule: null, lane });
          }}
        >
          {presets.map((name) => (
            <ToggleGroup.Item key={name} value={name}>
              {word(`lanes.preset.${name}`)}
            </ToggleGroup.Item>
          ))}
        </ToggleGroup.Root>
        <button
          type="button"
          className="btn"
          onClick={() => {
            setEditing({ rule: null, lane: draft.mode === "only" ? "tunnel" : "direct" });
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
          if (rule !== undefined) setEditing({ rule, lane: rule.lane });
        }}
      />
      <Switches />
      <IfYouSave />
      {editing !== null && (
        <RuleEditor
          {...editing}
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
    </div>
  );
}
