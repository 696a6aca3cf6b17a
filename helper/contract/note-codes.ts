// The codes of notes, for those who make them (policy, server) and those who have words for them (app/words, cli/words).

/** Of the rules themselves. */
export const ruleCodes = [
  /** A rule that a honoured network takes packets from, because the LAN comes first. */
  "rule.behind-lan",
  /** Earlier rules take all that it could. */
  "rule.dead",
  /** An earlier rule says something else of the very same packets. */
  "rule.contradicts",
  /** An earlier rule says the same. */
  "rule.twice",
  /** All its destinations are of IPv6, which policy blocks. */
  "rule.ipv6-blocked",
  /** Sources of one family, destinations of the other. */
  "rule.no-family",
  /** A program or user is of this machine, its source is not. */
  "rule.not-here",
  /** What a machine sends to itself goes no way at all. */
  "rule.itself",
  /** It says what holds for the rest anyway, and nothing after it says otherwise. */
  "rule.idle",
  /** Direct, whoever and whereto. */
  "rule.opens-all",
  /** Direct is the web, whoever asks for whatever page. */
  "rule.opens-web",
  /** Direct are questions for names, in clear, to whatever server. */
  "rule.opens-names",
  /** Direct is a port, for whoever and whereto: any program may use it. */
  "rule.opens-port",
  /** All of a top-level domain. */
  "rule.wide-name",
  /** Direct is root: the system's services, and the kernel's own answers (2.28). */
  "rule.opens-system",
] as const;

/** Of a plan on this machine. */
export const planCodes = [
  /** An on-link claim that is public or oversized: not honoured until approved (TunnelCrack). */
  "lan.unapproved",
  /** The node does not carry the family; it is blocked. */
  "ipv6.blocked",
  /** This machine has IPv6 switched off for new links: the tunnel takes none, and what is sent of it is blocked. */
  "ipv6.off",
  "ipv4.blocked",
  /** The node carries these prefixes only; everything else is unreachable. */
  "exit.partial",
  /** No resolver: names are not asked at all. */
  "dns.none",
  /** resolv.conf is immutable and nothing else answers names. */
  "dns.immutable",
  /** An address of two names that rules send different ways: the earlier rule has both. */
  "names.shared",
  /** Who asks names for every program (nss-resolve, nscd) hides whose they are: programs' names go as everybody's. */
  "names.for-all",
  /** The kernel cannot lead queries to our own resolver. */
  "names.not-led",
  /** No resolver of an uplink is known: programs of the direct lane ask nobody. */
  "names.nobody-direct",
  /** Another VPN that can be up beside this one; what it sends goes into the tunnel. */
  "vpn.beside",
  /** A foreign rule before ours: it decides first. */
  "rule.foreign",
  /** The default is taken over in main, where longer prefixes of others win: what that costs. */
  "form.main",
  /** A default with metric 0 to 2 stands: no better metric is to be had, the halves are laid instead. */
  "form.no-metric",
  /** A route of main that wins over the form: what goes there is dropped. */
  "form.outranked",
  /** An uplink whose frames lock 3 cannot read (PPP over Ethernet). */
  "uplink.ppp",
] as const;

/** Of the machine, whatever the plan: the status has them among its notices. */
export const machineCodes = [
  "gate.no-device-prefix",
  "gate.no-owner",
  /** The nft command cannot read lock 3 and may list for ever. */
  "nft.old",
] as const;

/** Of what a change would end: a connection over which somebody works here from afar. */
export const sessionCode = "session.cut";

export type RuleCode = (typeof ruleCodes)[number];
export type PlanCode = RuleCode | (typeof planCodes)[number] | (typeof machineCodes)[number];
