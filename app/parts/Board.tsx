// The board: view/track.ts lays it, this draws it and takes the hand and the keys. Keys: arrows move the focus from card
// to card; Space lifts a rule, arrows then move it in order and between lanes, Space sets it down, Esc gives up; Enter
// opens it. A card follows the hand without easing and settles where the drop is.
import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent } from "react";

import type { Lane, Policy } from "../../helper/contract/policy.ts";
import type { Traffic } from "../../helper/contract/status.ts";
import { useFacts, useSpeak, useWord } from "../hooks.ts";
import { usePolicy } from "../stores/policy.ts";
import { usePrograms } from "../stores/programs.ts";
import { boardRuns, type Card } from "../view/board.ts";
import { nodeNow } from "../view/connect.ts";
import { rate, say } from "../view/say.ts";
import { lanes, layTrack, placeAt, type Track } from "../view/track.ts";
import { Ends, LaneName, Lines, SlotOf, type Landing } from "./BoardLines.tsx";
import { Icon } from "./Icon.tsx";
import s from "./Board.module.css";

interface Props {
  readonly policy: Policy;
  readonly onEdit: (id: string) => void;
}

/** Where the hand took hold, and how far it went. */
interface Drag {
  readonly id: string;
  readonly fromX: number;
  readonly fromY: number;
  readonly dx: number;
  readonly dy: number;
  readonly to: { readonly lane: Lane; readonly place: number } | null;
}

const rateOf = (traffic: Traffic | null): number => (traffic?.rxPerSecond ?? 0) + (traffic?.txPerSecond ?? 0);

/** Below this a press is a click. */
const dragStart = 5;

export function Board({ policy, onEdit }: Props) {
  const word = useWord();
  const speak = useSpeak();
  const { status, traffic } = useFacts();
  const [landing, setLanding] = useState<Landing | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const known = usePrograms((store) => store.known);
  const runs = useMemo(() => boardRuns(policy, status, known), [policy, status, known]);
  const track = useMemo(() => layTrack(runs, Math.max(width, 400)), [runs, width]);
  const cards = track.runs.flatMap((placed) => placed.run.cards);
  const focusCard = (index: number): void => {
    box.current?.querySelectorAll<HTMLElement>("[data-card]")[index]?.focus();
  };
  return (
    <div ref={box} className={s.scroll}>
      <Announce cards={cards} />
      <div
        className={s.board}
        style={{ width: track.width, height: track.height }}
        role="group"
        aria-label={word("lanes.board")}
      >
        <Lines track={track} flows={rateOf(traffic) > 0} />
        {landing !== null && <SlotOf track={track} landing={landing} />}
        <span className={s.machine}>{status?.host ?? ""}</span>
        {lanes.map((lane) => (
          <LaneName key={lane} lane={lane} track={track} />
        ))}
        {track.runs.map(({ run, number, x, y, width: runWidth }) => (
          <div key={number} className={s.run} style={{ left: x, top: y, width: runWidth }}>
            {run.cards.map((card) => (
              <CardOf
                key={card.id}
                card={card}
                number={number}
                track={track}
                box={box}
                onEdit={onEdit}
                onLanding={setLanding}
                onStep={(by) => {
                  focusCard(cards.indexOf(card) + by);
                }}
              />
            ))}
          </div>
        ))}
        <Ends
          track={track}
          node={nodeNow(status)?.name ?? ""}
          rate={traffic === null ? "" : speak(say("readings.down", { rate: rate(traffic.rxPerSecond) }))}
          uplink={status?.uplinks[0]?.name ?? ""}
        />
      </div>
    </div>
  );
}

interface CardProps {
  readonly card: Card;
  readonly number: number;
  readonly track: Track;
  readonly box: React.RefObject<HTMLDivElement | null>;
  readonly onEdit: (id: string) => void;
  readonly onLanding: (landing: Landing | null) => void;
  readonly onStep: (by: 1 | -1) => void;
}

function CardOf({ card, number, track, box, onEdit, onLanding, onStep }: CardProps) {
  const speak = useSpeak();
  const word = useWord();
  const lifted = usePolicy((store) => store.lifted?.id === card.id);
  const { put } = usePolicy.getState();
  const [drag, setDrag] = useState<Drag | null>(null);
  const element = useRef<HTMLButtonElement>(null);
  const dragged = useRef(false);
  const rule = card.kind === "rule";
  // a moved card is drawn anew in another column: the focus goes with it
  useEffect(() => {
    if (lifted) element.current?.focus();
  }, [lifted, track]);
  const onMove = (event: PointerEvent): void => {
    if (drag === null) return;
    const dx = event.clientX - drag.fromX;
    const dy = event.clientY - drag.fromY;
    if (drag.to === null && Math.hypot(dx, dy) < dragStart) return;
    dragged.current = true;
    const at = box.current?.getBoundingClientRect();
    const x = event.clientX - (at?.left ?? 0) + (box.current?.scrollLeft ?? 0);
    const to = placeAt(track, x, event.clientY - (at?.top ?? 0), card.id);
    setDrag({ ...drag, dx, dy, to });
    onLanding({ id: card.id, to });
  };
  const drop = (): void => {
    setDrag(null);
    onLanding(null);
  };
  const moving = drag?.to ?? null;
  return (
    <button
      ref={element}
      type="button"
      data-card={card.id}
      className={`${s.card ?? ""} ${s[card.lane] ?? ""} ${moving !== null || lifted ? (s.lifted ?? "") : ""} ${rule ? "" : (s.fixed ?? "")}`}
      style={
        moving === null ? undefined : { transform: `translate(${String(drag?.dx ?? 0)}px, ${String(drag?.dy ?? 0)}px)` }
      }
      aria-label={word(rule ? "lanes.card.label" : "lanes.card.label-fixed", {
        number,
        name: card.name,
        detail: card.detail,
        lane: word(`lane.${card.lane}`),
      })}
      aria-pressed={rule ? lifted : undefined}
      title={`${speak(card.name)}\n${speak(card.detail)}`}
      onPointerDown={(event) => {
        if (!rule || event.button !== 0) return;
        dragged.current = false;
        event.currentTarget.setPointerCapture(event.pointerId);
        setDrag({ id: card.id, fromX: event.clientX, fromY: event.clientY, dx: 0, dy: 0, to: null });
      }}
      onPointerMove={onMove}
      onPointerUp={() => {
        if (moving !== null) put(card.id, moving.place, moving.lane);
        drop();
      }}
      onPointerCancel={drop}
      onClick={() => {
        if (rule && !dragged.current) onEdit(card.id);
        dragged.current = false;
      }}
      onKeyDown={(event) => {
        takeKey(event, card, lifted, onStep);
      }}
    >
      {card.picture === null ? <Icon name={card.icon} /> : <img className={s.picture} src={card.picture} alt="" />}
      <b>{speak(card.name)}</b>
      <span className="label cut">{speak(card.detail)}</span>
      {moving !== null && moving.lane !== card.lane && (
        <span className={s.tip}>{`${word(`lane.${card.lane}`)} → ${word(`lane.${moving.lane}`)}`}</span>
      )}
    </button>
  );
}

function takeKey(event: KeyboardEvent, card: Card, lifted: boolean, onStep: (by: 1 | -1) => void): void {
  const { lift, move, setDown, giveUp } = usePolicy.getState();
  const steps: Record<string, () => void> = lifted
    ? {
        ArrowLeft: () => {
          move({ order: -1 });
        },
        ArrowRight: () => {
          move({ order: 1 });
        },
        ArrowUp: () => {
          move({ lane: -1 });
        },
        ArrowDown: () => {
          move({ lane: 1 });
        },
        " ": setDown,
        Enter: setDown,
        Escape: giveUp,
        Tab: setDown,
      }
    : {
        ArrowLeft: () => {
          onStep(-1);
        },
        ArrowUp: () => {
          onStep(-1);
        },
        ArrowRight: () => {
          onStep(1);
        },
        ArrowDown: () => {
          onStep(1);
        },
        ...(card.kind === "rule"
          ? {
              " ": () => {
                lift(card.id);
              },
            }
          : {}),
      };
  const step = steps[event.key];
  if (step === undefined) return;
  if (event.key !== "Tab") event.preventDefault();
  step();
}

/** Says where a lifted rule stands; silent otherwise. */
function Announce({ cards }: { readonly cards: readonly Card[] }) {
  const word = useWord();
  const lifted = usePolicy((store) => store.lifted?.id ?? null);
  const card = cards.find((one) => one.id === lifted);
  const rules = cards.filter((one) => one.kind === "rule");
  return (
    <div role="status" className="hidden">
      {card !== undefined &&
        word("lanes.lifted", {
          name: card.name,
          lane: word(`lane.${card.lane}`),
          place: rules.indexOf(card) + 1,
          all: rules.length,
        })}
    </div>
  );
}

function useWidth(box: React.RefObject<HTMLDivElement | null>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    // the content's width: the box keeps a little padding for focus rings
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined) setWidth(Math.floor(entry.contentRect.width));
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
    };
  }, [box]);
  return width;
}
