// One rule: a name, where it goes, and the networks it is for. What is typed is parsed as the helper will parse it, and a
// word that is no address is named with its line.
import { ToggleGroup } from "radix-ui";
import { useState } from "react";

import type { Lane, PolicyRule } from "../../helper/contract/policy.ts";
import { useSpeak, useWord } from "../hooks.ts";
import { usePolicy } from "../stores/policy.ts";
import { parsePrefixes } from "../view/prefixes.ts";
import { lanes } from "../view/track.ts";
import { Dialog } from "./Dialog.tsx";
import { Icon } from "./Icon.tsx";
import { LaneMark } from "./LaneMark.tsx";
import s from "./RuleEditor.module.css";

interface Props {
  readonly rule: PolicyRule | null;
  readonly onClose: () => void;
}

export function RuleEditor({ rule, onClose }: Props) {
  const word = useWord();
  const speak = useSpeak();
  const { putRule, removeRule } = usePolicy.getState();
  const [name, setName] = useState(rule?.name ?? "");
  const [lane, setLane] = useState<Lane>(rule?.lane ?? "direct");
  const [text, setText] = useState((rule?.match.destination ?? []).join("\n"));
  const [tried, setTried] = useState(false);
  const parsed = parsePrefixes(text);
  const submit = (): void => {
    setTried(true);
    if (!parsed.ok) return;
    const match = { ...rule?.match, destination: [...parsed.prefixes] };
    putRule({
      id: rule?.id ?? newId(),
      name: name.trim() === "" ? (parsed.prefixes[0] ?? "") : name.trim(),
      match,
      lane,
    });
    onClose();
  };
  return (
    <Dialog title={word(rule === null ? "rule.new" : "rule.edit")} onClose={onClose}>
      <form
        className={s.form}
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <label className={s.labelled}>
          <span className="label">{word("rule.name")}</span>
          <span className="field">
            <input
              value={name}
              maxLength={120}
              placeholder={word("rule.name-hint")}
              data-focus
              onChange={(event) => {
                setName(event.target.value);
              }}
            />
          </span>
        </label>
        <div className={s.labelled}>
          <span className="label">{word("rule.lane")}</span>
          <ToggleGroup.Root
            type="single"
            className="seg"
            aria-label={word("rule.lane")}
            value={lane}
            onValueChange={(value) => {
              const chosen = lanes.find((one) => one === value);
              if (chosen !== undefined) setLane(chosen);
            }}
          >
            {lanes.map((one) => (
              <ToggleGroup.Item key={one} value={one}>
                {word(`lane.${one}`)}
              </ToggleGroup.Item>
            ))}
          </ToggleGroup.Root>
          <span className={`row label ${s.sees ?? ""}`}>
            <LaneMark lane={lane} />
            {word(`lanes.sees.${lane}`)}
          </span>
        </div>
        <label className={s.labelled}>
          <span className="label">{word("rule.networks")}</span>
          <span className={`field ${s.networks ?? ""}`}>
            <textarea
              className="mono"
              value={text}
              spellCheck={false}
              placeholder={"192.0.2.0/24\n2001:db8::/32"}
              aria-invalid={tried && !parsed.ok}
              onChange={(event) => {
                setText(event.target.value);
              }}
            />
          </span>
        </label>
        {tried && !parsed.ok && (
          <div className="note bad" role="alert">
            <Icon name="warn" />
            <p>{speak(parsed.say)}</p>
          </div>
        )}
        <div className={s.buttons}>
          {rule !== null && (
            <button
              type="button"
              className="btn stop"
              onClick={() => {
                removeRule(rule.id);
                onClose();
              }}
            >
              <Icon name="trash" />
              {word("rule.remove")}
            </button>
          )}
          <span className="grow" />
          <button type="button" className="btn" onClick={onClose}>
            {word("act.close")}
          </button>
          <button type="submit" className="btn first">
            {word("rule.done")}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** Random, so that two drafts never share a rule's name in the helper's counters. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return `rule-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
