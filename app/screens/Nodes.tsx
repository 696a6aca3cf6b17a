// The nodes: found, compared by what was measured, chosen, added. The card beside says only what is known of the one chosen.
import { lazy, Suspense, useMemo, useRef } from "react";

import type { Node } from "../../helper/contract/node.ts";
import { bridge } from "../bridge.ts";
import { useFacts, useLanguage, useSpeak, useWord } from "../hooks.ts";
import { Icon } from "../parts/Icon.tsx";
import { LoadBar } from "../parts/LoadBar.tsx";
import { NodeCard } from "../parts/NodeCard.tsx";
import { PingGraph } from "../parts/PingGraph.tsx";
import { useNodes } from "../stores/nodes.ts";
import { useScreen } from "../stores/screen.ts";
import { nodeNow } from "../view/connect.ts";
import { badgeOf, found, ordered, preferredNode } from "../view/nodes.ts";
import { percent } from "../view/say.ts";
import { situationOf } from "../view/situation.ts";
import { printFigure } from "../words/speak.ts";
import s from "./Nodes.module.css";

// the land is a drawing of 55 KB: it comes after the table
const NodeMap = lazy(() => import("../parts/NodeMap.tsx").then((module) => ({ default: module.NodeMap })));

export function Nodes() {
  const word = useWord();
  const { nodes, query, search, chosen, choose } = useNodes();
  const setAdding = useScreen((store) => store.setAdding);
  const { status } = useFacts();
  const shown = useMemo(() => ordered(found(nodes ?? [], query)), [nodes, query]);
  const current = nodeNow(status)?.id ?? null;
  const fallback = current ?? preferredNode(nodes ?? [])?.id ?? null;
  const picked = shown.find((node) => node.id === (chosen ?? fallback)) ?? shown[0] ?? null;
  return (
    <div className="page">
      <div className="head">
        <h1>{word("screen.nodes")}</h1>
        <span className="label wide">{nodes !== null && word("nodes.known", { count: nodes.length })}</span>
        <span className="grow" />
        <label className={`field ${s.search ?? ""}`}>
          <Icon name="search" />
          <input
            type="search"
            value={query}
            placeholder={word("nodes.search")}
            aria-label={word("nodes.search")}
            onChange={(event) => {
              search(event.target.value);
            }}
            onKeyDown={(event) => {
              if (event.key === "Escape") search("");
            }}
          />
          <kbd aria-hidden="true">/</kbd>
        </label>
        <button
          type="button"
          className="btn"
          onClick={() => {
            setAdding(true);
          }}
        >
          <Icon name="plus" />
          {word("nodes.add")}
        </button>
      </div>
      <div className={s.two}>
        <div className={s.list}>
          {shown.length === 0 ? (
            <None empty={nodes?.length === 0} />
          ) : (
            <Table nodes={shown} picked={picked?.id ?? null} current={current} choose={choose} />
          )}
        </div>
        <aside className={s.side}>
          <Suspense fallback={<div className={s.map} />}>
            <div className={`${s.map ?? ""} wide`}>
              <NodeMap nodes={nodes ?? []} picked={picked?.id ?? null} current={current} />
            </div>
          </Suspense>
          {picked !== null && <NodeCard key={picked.id} node={picked} />}
        </aside>
      </div>
    </div>
  );
}

/** What is missing can be brought right here: a node, or what was searched for too narrowly. */
function None({ empty }: { readonly empty: boolean }) {
  const word = useWord();
  const search = useNodes((store) => store.search);
  const setAdding = useScreen((store) => store.setAdding);
  return (
    <div className={s.none}>
      <p className="soft">{word(empty ? "nodes.none" : "nodes.not-found")}</p>
      <button
        type="button"
        className={`btn ${empty ? "first" : ""}`}
        onClick={() => {
          if (empty) setAdding(true);
          else search("");
        }}
      >
        {word(empty ? "add.title" : "nodes.show-all")}
      </button>
    </div>
  );
}

interface TableProps {
  readonly nodes: readonly Node[];
  readonly picked: string | null;
  readonly current: string | null;
  readonly choose: (id: string) => void;
}

function Table({ nodes, picked, current, choose }: TableProps) {
  const word = useWord();
  const body = useRef<HTMLTableSectionElement>(null);
  const step = (from: number, by: number): void => {
    const next = nodes[from + by];
    if (next === undefined) return;
    choose(next.id);
    body.current?.querySelectorAll<HTMLElement>("[data-pick]")[from + by]?.focus();
  };
  return (
    <table className={`tbl ${s.table ?? ""}`}>
      <colgroup>
        <col className={s.star} />
        <col />
        <col className={s.graph} />
        <col className={s.figure} />
        <col className={s.figure} />
        <col className={`${s.load ?? ""} wide`} />
      </colgroup>
      <thead>
        <tr>
          <th>
            <span className="hidden">{word("nodes.favourite")}</span>
          </th>
          <th>{word("nodes.node")}</th>
          <th>{word("nodes.graph")}</th>
          <th className="num">{word("nodes.ms")}</th>
          <th className="num">{word("nodes.jitter")}</th>
          <th className="wide">{word("nodes.load")}</th>
        </tr>
      </thead>
      <tbody ref={body}>
        {nodes.map((node, index) => (
          <Row
            key={node.id}
            node={node}
            picked={node.id === picked}
            current={current}
            onPick={() => {
              choose(node.id);
            }}
            onStep={(by) => {
              step(index, by);
            }}
          />
        ))}
      </tbody>
    </table>
  );
}

interface RowProps {
  readonly node: Node;
  readonly picked: boolean;
  readonly current: string | null;
  readonly onPick: () => void;
  readonly onStep: (by: 1 | -1) => void;
}

function Row({ node, picked, current, onPick, onStep }: RowProps) {
  const speak = useSpeak();
  const word = useWord();
  const language = useLanguage();
  const facts = useFacts();
  const usable = ["proven", "protected", "stale"].includes(situationOf(facts));
  const badge = badgeOf(node, { connectedTo: current, usable });
  const favourite = useNodes((store) => store.favourite);
  const tellRefusal = useScreen((store) => store.tellRefusal);
  const { ping } = node;
  const median = ping?.medianMs ?? null;
  const jitter = ping?.jitterMs ?? null;
  return (
    <tr className={picked ? s.on : ""} onClick={onPick}>
      <td className={s.pick}>
        <button
          type="button"
          className={`${s.favourite ?? ""} ${node.favourite ? (s.kept ?? "") : ""}`}
          aria-pressed={node.favourite}
          aria-label={word("nodes.favourite-of", { node: node.name })}
          onClick={(event) => {
            event.stopPropagation();
            void favourite(bridge(), node.id, !node.favourite).then(tellRefusal);
          }}
        >
          <Icon name="star" />
        </button>
      </td>
      <td>
        <div className={s.name}>
          <button
            type="button"
            data-pick
            className={s.open}
            aria-current={picked ? "true" : undefined}
            onClick={onPick}
            onKeyDown={(event) => {
              if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
              event.preventDefault();
              onStep(event.key === "ArrowDown" ? 1 : -1);
            }}
          >
            {node.name}
          </button>
          {node.country !== null && <span className="label">{node.country}</span>}
          {badge !== null && <span className={`chip ${badge.tone}`}>{speak(badge.say)}</span>}
        </div>
      </td>
      <td>
        {ping === null ? (
          <span className="label">{word("nodes.not-measured")}</span>
        ) : (
          <PingGraph ping={ping} label={word("nodes.graph-of", { node: node.name })} />
        )}
      </td>
      <td className="num strong">{median === null ? "–" : printFigure(median, language, median < 100 ? 1 : 0)}</td>
      <td className="num soft">{jitter === null ? "" : `±${printFigure(jitter, language, 1)}`}</td>
      <td className="wide">
        {node.load === null ? (
          <span className="label">{word("nodes.not-told")}</span>
        ) : (
          <span className="row">
            <LoadBar load={node.load} />
            <span className="label">{speak(percent(node.load))}</span>
          </span>
        )}
      </td>
    </tr>
  );
}
