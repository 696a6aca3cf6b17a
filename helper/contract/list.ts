// Prefix lists too long for one line of the socket. A list is brought in pieces of text, read and kept by the helper, and a
// rule names it by what it holds: the same list is the same id, and a policy stays small enough to show and to edit.
import { z } from "zod";

/** SHA-256 of the canonical prefixes, one a line. */
export const listIdSchema = z.string().regex(/^[0-9a-f]{64}$/);

/** Bytes of a piece: with JSON's escapes it fits one line of the socket. */
export const pieceBytes = 128 * 1024;
/** A million lines of IPv6 with a word of comment. */
export const mostListBytes = 128 * 1024 * 1024;

export const listSchema = z.strictObject({
  id: listIdSchema,
  /** After merging what overlaps. */
  prefixes: z.int(),
  /** Places of the rules of the saved policy that name it, from 1. */
  rules: z.array(z.int()),
});

export const listBroughtSchema = z.strictObject({
  id: listIdSchema,
  lines: z.int(),
  /** Lines that were prefixes, and how many prefixes they make. */
  read: z.int(),
  prefixes: z.int(),
});

/** What is wrong with a list, line by line; nothing was kept. */
export const listBadSchema = z.strictObject({
  lines: z.int(),
  badLines: z.int(),
  bad: z.array(z.strictObject({ line: z.int(), text: z.string().max(80) })).max(20),
  tooMany: z.boolean(),
});

export type ListBrought = z.infer<typeof listBroughtSchema>;
export type ListBad = z.infer<typeof listBadSchema>;
export type PrefixList = z.infer<typeof listSchema>;
