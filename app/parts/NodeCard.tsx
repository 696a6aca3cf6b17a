// What is known of one node, and what can be done with it. A fact that nobody told or measured is left out or named as
// not measured; no score is shown where none was computed.
import { useState } from "react";

import type { Node } from "../../helper/contract/node.ts";
import { bridge } from "../bridge.ts";
import { useFacts, useSpeak, useWord } from "../hooks.ts";
import { useNodes } from "../stores/nodes.ts";
import { useScreen } from "../stores/screen.ts";
import { useStatus } from "../stores/status.ts";
import { nodeNow } from "../view/connect.ts";
import { nodeFacts, reasonOf } from "../view/node-facts.ts";
import { hasNoUplink, situationOf } from "../view/situation.ts";
import { Dialog } from "./Dialog.tsx";
import { Icon } from "./Icon.tsx";
import s from "./NodeCard.module.css";

export function NodeCard({ node }: { readonly node: Node }) {
  const speak = useSpeak();
  const word = useWord();
  const facts = useFacts();
  const [open, setOpen] = useState<"rename" | "remove" | null>(null);
  const reason = reasonOf(node, facts.nodes);
  const isCurrent = nodeNow(facts.status)?.id === node.id && facts.status?.state.kind !== "failed";
  return (
    <section className={`plate ${s.card ?? ""}`} aria-label={node.name}>
      <div className={s.head}>
        <h2 className="cut">{node.name}</h2>
        <button
          type="button"
          className="btn bare icon"
          aria-label={word("nodes.rename")}
          title={word("nodes.rename")}
          onClick={() => {
            setOpen("rename");
          }}
        >
          <Icon name="edit" />
        </button>
        <button
          type="button"
          className="btn bare icon"
          aria-label={word("nodes.remove")}
          title={word("nodes.remove")}
          onClick={() => {
            setOpen("remove");
          }}
        >
          <Icon name="trash" />
        </button>
      </div>
      {reason !== null && <p className="soft">{speak(reason)}</p>}
      <Connect node={node} isCurrent={isCurrent} />
      <dl className={s.facts}>
        {nodeFacts(node, facts.now).map((fact) => (
          <div key={fact.label.key}>
            <dt>{speak(fact.label)}</dt>
            <dd className={fact.mono ? "mono" : ""}>{speak(fact.value)}</dd>
          </div>
        ))}
      </dl>
      {open === "rename" && (
        <Rename
          node={node}
          onClose={() => {
            setOpen(null);
          }}
        />
      )}
      {open === "remove" && (
        <Remove
          node={node}
          onClose={() => {
            setOpen(null);
          }}
        />
      )}
    </section>
  );
}

function Connect({ node, isCurrent }: { readonly node: Node; readonly isCurrent: boolean }) {
  const word = useWord();
  const facts = useFacts();
  const wish = useStatus((store) => store.wish);
  const { connect, disconnect } = useStatus.getState();
  const { show, tellRefusal } = useScreen.getState();
  const situation = situationOf(facts);
  const away = situation === "off" || situation === "failed";
  if (isCurrent) {
    return (
      <button
        type="button"
        className="btn"
        disabled={wish === "disconnect"}
        onClick={() => {
          void disconnect(bridge()).then(tellRefusal);
        }}
      >
        {word(situation === "connecting" ? "act.cancel" : "act.disconnect")}
      </button>
    );
  }
  if (hasNoUplink(facts.status)) return <p className="soft">{word("who.no-uplink")}</p>;
  return (
    <button
      type="button"
      className="btn first"
      disabled={wish === "connect" || situation === "reading" || situation === "unheard"}
      onClick={() => {
        show("connect");
        void connect(bridge(), node.id).then((refusal) => {
          if (useStatus.getState().status?.state.kind !== "failed") tellRefusal(refusal);
        });
      }}
    >
      {word(away ? "nodes.connect" : "nodes.switch")}
    </button>
  );
}

function Rename({ node, onClose }: { readonly node: Node; readonly onClose: () => void }) {
  const word = useWord();
  const [name, setName] = useState(node.name);
  const rename = useNodes((store) => store.rename);
  const tellRefusal = useScreen((store) => store.tellRefusal);
  const submit = async (): Promise<void> => {
    const refusal = await rename(bridge(), node.id, name.trim());
    onClose();
    tellRefusal(refusal);
  };
  return (
    <Dialog title={word("nodes.rename-title", { node: node.name })} onClose={onClose}>
      <form
        className={s.form}
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <label className="field">
          <input
            value={name}
            maxLength={120}
            aria-label={word("nodes.new-name")}
            data-focus
            onChange={(event) => {
              setName(event.target.value);
            }}
          />
        </label>
        <div className={s.buttons}>
          <button type="button" className="btn" onClick={onClose}>
            {word("act.close")}
          </button>
          <button type="submit" className="btn first" disabled={name.trim() === ""}>
            {word("nodes.rename")}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Remove({ node, onClose }: { readonly node: Node; readonly onClose: () => void }) {
  const word = useWord();
  const remove = useNodes((store) => store.remove);
  const tellRefusal = useScreen((store) => store.tellRefusal);
  return (
    <Dialog title={word("nodes.remove-title", { node: node.name })} onClose={onClose}>
      <div className={s.form}>
        <p className="soft">{word("nodes.remove-words")}</p>
        <div className={s.buttons}>
          <button type="button" className="btn" data-focus onClick={onClose}>
            {word("nodes.keep")}
          </button>
          <button
            type="button"
            className="btn stop"
            onClick={() => {
              onClose();
              void remove(bridge(), node.id).then(tellRefusal);
            }}
          >
            {word("nodes.remove")}
          </button>
        </div>
      </div>
    </Dialog>
  );
}
