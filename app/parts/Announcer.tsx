// Reads the state aloud when it changes, and only then: ages and counters move each second and would never be silent.
import { useFacts, useSpeak } from "../hooks.ts";
import { headlineOf } from "../view/connect.ts";
import { say, type Part } from "../view/say.ts";
import { situationOf } from "../view/situation.ts";

export function Announcer() {
  const facts = useFacts();
  const speak = useSpeak();
  const situation = situationOf(facts);
  // these two headlines carry an age and a count
  const short: Part | null = situation === "stale" || situation === "leaking" ? say(`now.${situation}-short`) : null;
  const words: Part = short ?? headlineOf(situation, facts);
  return (
    <div role="status" className="hidden">
      {speak(words)}
    </div>
  );
}
