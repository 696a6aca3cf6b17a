// Bytes → lines, with a bound on what one line may hold. Both ends of the socket use it.

export interface Lines {
  /** The lines that `chunk` completes, without their ends; "too-long" from the moment a line cannot become legal. */
  push(chunk: Buffer): readonly string[] | "too-long";
}

export function splitLines(maxBytes: number): Lines {
  let pending: Buffer[] = [];
  let held = 0;
  let broken = false;
  return {
    push(chunk) {
      const lines: string[] = [];
      let from = 0;
      while (!broken) {
        const end = chunk.indexOf(0x0a, from);
        const piece = chunk.subarray(from, end < 0 ? chunk.length : end);
        held += piece.length;
        if (held > maxBytes) broken = true;
        else if (end < 0) {
          // a copy: a slice would keep the whole chunk it came from
          if (piece.length > 0) pending.push(Buffer.from(piece));
          return lines;
        } else {
          lines.push(Buffer.concat([...pending, piece]).toString("utf8"));
          pending = [];
          held = 0;
          from = end + 1;
        }
      }
      pending = [];
      return "too-long";
    },
  };
}
