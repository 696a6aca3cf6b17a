// Draws the path's shapes (view/path.ts) at the size there is. It decides nothing but which class a shape has.
import { useEffect, useRef, useState } from "react";

import { leastHeight, pathPicture, type Shape } from "../view/path.ts";
import type { PathFacts } from "../view/path-facts.ts";
import s from "./Path.module.css";

export function Path({ facts }: { readonly facts: PathFacts }) {
  const box = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState<{ width: number; height: number } | null>(null);
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const measure = (): void => {
      setSize({ width: element.clientWidth, height: element.clientHeight });
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => {
      observer.disconnect();
    };
  }, []);
  const picture =
    size === null || size.width < 300 ? null : pathPicture(facts, size.width, Math.max(leastHeight, size.height));
  return (
    <div ref={box} className={s.box}>
      {picture !== null && (
        <svg
          className={s.pic}
          width={picture.width}
          height={picture.height}
          viewBox={`0 0 ${String(picture.width)} ${String(picture.height)}`}
          role="img"
          aria-label={facts.label}
        >
          <defs>
            <pattern id="road" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <path d="M0 0V5" className={s.hatch} />
            </pattern>
          </defs>
          {picture.shapes.map((shape, index) => (
            <ShapeOf key={index} shape={shape} />
          ))}
        </svg>
      )}
    </div>
  );
}

function ShapeOf({ shape }: { readonly shape: Shape }) {
  switch (shape.kind) {
    case "line":
      return <path className={s[shape.look]} d={shape.d} />;
    case "box":
      return shape.look === "road" ? (
        <rect x={shape.x} y={shape.y} width={shape.width} height={shape.height} fill="url(#road)" />
      ) : (
        <rect
          className={s.plate}
          x={shape.x + 0.5}
          y={shape.y + 0.5}
          width={shape.width - 1}
          height={shape.height - 1}
          rx="5"
        />
      );
    case "stop":
      return (
        <>
          <circle className={s[shape.look]} cx={shape.x} cy={shape.y} r={shape.look === "lan" ? 6.5 : 8} />
          {shape.look === "node-dead" && (
            <path
              className={s.cross}
              d={`M${shape.x - 3.5} ${shape.y - 3.5}l7 7M${shape.x + 3.5} ${shape.y - 3.5}l-7 7`}
            />
          )}
        </>
      );
    case "text":
      return (
        <text className={s[shape.look]} x={shape.x} y={shape.y} textAnchor={shape.anchor}>
          {shape.text}
        </text>
      );
  }
}
