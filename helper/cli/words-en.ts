// English.
import type { Catalogue } from "./words.ts";

export const en: Catalogue = {
  sentences: {
    usage: `Usage: culvert VERB [--json] [--socket PATH]
  up [NODE]              connect; without a node, to the one used last
                         where it would end a session from afar: --keep welcomes it, --anyway goes on
  down                   disconnect and restore this machine
  status                 where this machine's traffic goes
  nodes                  list the nodes
  import FILE [--name N] add a node from a WireGuard configuration file
  remove NODE            forget a node and its keys
  policy                 the rules, one a line, in their order
  policy get             the whole policy as JSON
  policy set FILE        save a policy; with --within SECONDS it goes back unless confirmed
  policy check FILE      what a policy would do: its proof, what is odd in it, what changes
  policy add LANE MATCH… [--name N] [--at PLACE]
                         add a rule; LANE is tunnel, direct or block; MATCH is to=, name=,
                         app=, user=, from=, port= (lists by comma), proto=
  policy preset everything | everything-but MATCH… | only MATCH…
                         the rules of now replaced: all in the tunnel; all but these; these only
  policy import FILE LANE [MATCH…] [--name N] [--at PLACE]
                         add a rule for all prefixes in a file, one a line, up to a million; - is standard input
  policy lists           prefix lists that rules name
  policy remove RULE     by its name or its place
  policy move RULE PLACE
  confirm                keep the policy that would go back
  plan [NODE] [--diff]   what would be done, as ip and nft text; --diff: against what stands
  prove [NODE]           prove what stands, or what connecting would lay
  explain [--app X] [--user U] [--from ADDRESS] [--device D] [--in D] [--policy FILE] [--node N]
          HOST[:PORT] [tcp|udp|icmp]
                         where such a packet goes and why; --in: one that comes in on D
  leaks                  try each way out that must be shut, and say what was seen
  repair [ID]            what others changed or left behind; with an ID or --all: put it right
  apps                   by what the programs that rules name are recognised, and what that cannot cover
  apps reopen [APP]      close what they opened before they were named, so that they open it anew
  watch                  changes of state and of the machine as they come
  reset                  undo everything, whatever the state
  help                   this text
Exit code: 0 done, 1 refused or not as it should be, 2 wrong use, 3 no helper, 4 not allowed.`,
    connecting: "Connecting to {node}…",
    imported: "Added {node}.",
    "off-no-network": "Off. This machine has no network; nothing leaves it.",
    "no-file": "There is no file {path}.",
    "file-closed": "The file {path} may not be read by this account.",
    "nothing-added": "Nothing was added.",
    ignored:
      "Line {line}: {word} is an order to wg-quick's own routing; your policy decides that here, so it has no effect.",
    removed: "Forgot {node} and its keys.",
    reset: "Everything is undone. The machine is as it was.",
    "no-nodes": "There are no nodes yet. Add one: culvert import FILE",
    "no-rules": "No rules.",
    rest: "everything else: {lane}",
    saved: "Saved.",
    "saved-until": "In force until {until}, unless you confirm: culvert confirm",
    confirmed: "The policy stays.",
    "no-rule": "There is no rule {rule}.",
    "bad-match": "Not understood: {word}",
    "list-read": "{lines} lines, {read} prefixes, {prefixes} after merging what overlaps.",
    "list-line": "Line {line} is no prefix: {text}",
    "list-more": "… and {count} more such lines.",
    "list-too-many": "A list may have a million prefixes. Nothing was changed.",
    "list-empty": "There is no prefix in it. Nothing was changed.",
    "list-bad": "{count} lines are no prefixes. Nothing was changed.",
    "list-progress": "{lines} lines, {percent} %",
    "list-one": "{id}  {prefixes} prefixes, rules {rules}",
    "no-program": "There is no program {name}.",
    "no-user": "There is no user {name}.",
    "proof-holds":
      "Proven: {held} of {properties} properties hold, {classes} classes of packets in {states} cases, {ms} ms.",
    "proof-would": "Of what connecting would lay, nothing is applied.",
    "proof-none": "Not proven: there is no node to make a plan for.",
    "proof-breaks": "Not proven: {property} breaks while {state}, fault {fault}.",
    packet: "Packet: {packet}",
    limit: "Known limit: {code}",
    "no-apps": "No program is told apart: no rule in force names one.",
    app: "{app}: {by}",
    "app-runs": "processes: {count}",
    "app-older": "connections from before the rule: {count}",
    "app-limits": "What this cannot cover:",
    reopened: "Closed: {count}.",
    "reopen-hint":
      "Connections from before a rule go as if it did not name their program. Close them: culvert apps reopen",
    same: "Nothing would change.",
    more: "… and {count} more lines",
    "nothing-found": "Nothing to repair.",
    repaired: "Put right.",
    still: "Still there: {id} {what}",
    "drift-mended": "{time} {who} changed this machine; mended: {what}",
    "drift-offered": "{time} {who} changed this machine: {what}. culvert repair {id}",
    "drift-seen": "{time} {who} changed this machine: {what}",
    somebody: "somebody",
  },
  states: {
    off: "Off. Your traffic leaves this machine in the open.",
    "off-held": "Off, and closed: the kill switch holds from boot on. Only the local network and direct rules get out.",
    connecting: "Connecting to {node} ({endpoint}).",
    connected: "Connected. Your traffic goes through {node} ({endpoint}).",
    switching: "Switching from {from} to {to}. Nothing leaves beside the tunnel.",
    locked: "Locked: nothing leaves this machine beside the tunnel to {node}. {why}",
    failed: "Off. Connecting to {node} did not work: {why}",
  },
  causes: {
    "engine-died": "The tunnel's engine stopped; a new one is being started.",
    "adapter-gone": "The tunnel's adapter was removed; it is being made again.",
    "node-silent": "The node does not answer; it is asked again and again.",
    "uplink-lost": "This machine has no way out at the moment.",
    "plan-broken": "What holds the lock could not be laid as planned. `culvert reset` undoes everything.",
    "helper-restarted": "The helper was restarted and is connecting again.",
    fight: "Another program keeps changing the routes or the firewall. Stop it, then connect again.",
  },
  ipv6: { carried: "through the tunnel", blocked: "blocked", absent: "not on this machine", open: "in the open" },
  lines: {
    uplinks: "Way out",
    inside: "Address in the tunnel",
    "seen-as": "Seen from outside as",
    dns: "Names are asked of",
    ipv6: "IPv6",
    direct: "Beside the tunnel by your policy",
    "stand-in": "The engine is wireguard-go, which stands in for Culvert's own.",
    outranked: "Another route wins over the form; what goes there is dropped, not let out",
    proven: "The plan is proven.",
    unproven: "The plan is not proven.",
  },
  trace: {
    names: "names",
    wish: "policy",
    rule: "ip rule",
    route: "route",
    source: "source",
    line: "nft",
    end: "goes",
    kernel: "kernel",
    mode: "no rule of yours; {lane}",
    asked: "{name} is {addresses}, asked of {servers}",
    hits: "{count} packets so far",
    mtu: "MTU {mtu}",
    node: "out at {node} ({endpoint})",
    same: "says the same",
    would: "not asked: this is not applied",
    protocol: "cannot be asked about this protocol",
    reroute: "cannot be asked: nft sends it round again",
    foreign: "not Culvert's",
    left: "out by {device}{via}",
    via: " via {gateway}",
    delivered: "stays on this machine",
    dropped: "dropped at {at}",
    refused: "refused, {errno}",
  },
  lanes: {
    tunnel: "the tunnel",
    direct: "direct, in the open",
    block: "blocked",
    lan: "the local network",
    engine: "the tunnel's own",
    self: "this machine",
    open: "in the open: Culvert is off",
  },
  held: {
    file: "by its file, however it is started",
    path: "by its path; it is not installed",
    cgroup: "by where systemd puts its processes",
    "no-entry": "not recognised: there is no such desktop entry, or it starts nothing",
    interpreter: "not recognised: its desktop entry starts a shell or interpreter; name the program itself",
  },
  appLimits: {
    unsupported: "This kernel cannot tell sockets of programs apart; rules that name programs are refused.",
    "script-path": "A script is recognised by the path it is called by: by another path it is not.",
    "handed-over": "A connection that another program opened and handed over counts as that program's.",
    "started-for": "What a program has a service start for it (D-Bus, cron, systemd) counts as the service's.",
    "kernel-sockets": "Connections of the kernel itself (MPTCP, NFS) count as nobody's.",
    "shared-resolver":
      "Names are asked for all programs alike here (nss-resolve, nscd, or no redirects in the kernel): it cannot be told who asks.",
    datagrams: "A program may go on with an old UDP socket although it was closed; starting it anew is sure.",
    room: "More processes run than can be remembered; some are not recognised. Start them anew.",
  },
  findings: {
    drift: "changed",
    stale: "left behind",
  },
  checks: {
    "address-ipv4": "Address, IPv4",
    "address-ipv6": "Address, IPv6",
    dns: "DNS",
    routes: "Routes",
    "bound-socket": "Bound to the uplink",
    "raw-frames": "Raw frames",
  },
  verdicts: {
    holds: "holds",
    leaks: "leaks",
    "not-checked": "not checked",
  },
  evidence: {
    "seen-as": "the node saw {address}",
    "asked-by": "names were asked from {asker}",
    "as-planned": "{rules} rules and {routes} routes are as planned",
    "not-as-planned": "different from the plan: {differences} of {rules} rules and {routes} routes",
    "not-connected": "Culvert is not connected",
    "node-does-not-tell": "the node does not tell",
    "name-not-asked": "the query did not arrive anywhere",
    "canaries-held": "{tried} tried, {refused} refused at once, none seen on the wire",
    "canaries-seen": "{seen} of {tried} tried seen on the wire",
    "canaries-not-sent": "none could be sent ({errno})",
    "wire-not-watched": "the wire is not watched here",
    "wire-silent": "the watch saw nothing at all, also not the tunnel",
    "wire-missed": "{missed} frames came too fast to be looked at",
  },
  notes: {
    "model.differs": "The model and the kernel differ. Model: {model}. Kernel: {kernel}.",
    "lane.broken": "It does not go where your policy says ({lane}): {end}.",
    "names.by-address": "{name} is in no rule that decides here: it has the address of a name that {rule} means.",
    "rule.foreign": "A rule that is not Culvert's decides: {rule}",
    "plan.changed": "Somebody changed what Culvert laid; missing: {lacks}",
    "gate.changed": "Somebody wrote into Culvert's gate: {line}",
    "lan.unapproved": "{link} says that {prefix} is local, but it is public or too large: it goes through the tunnel.",
    "rule.behind-lan": "{rule}: {prefix} goes to your local network all the same, which comes first.",
    "rule.dead": "{rule} never decides: rules before it take all that it could.",
    "rule.contradicts": "{rule} never decides: {by} stands before it and says something else of the same packets.",
    "rule.twice": "{rule} says again what {by} says before it.",
    "rule.ipv6-blocked": "{rule} never decides: it is about IPv6 only, and IPv6 is blocked.",
    "rule.no-family":
      "{rule} never decides: no packet has an IPv4 address at one end and an IPv6 address at the other.",
    "rule.not-here":
      "{rule} never decides: a program or user of this machine never sends from an address that is not this machine's.",
    "rule.itself": "{rule} never decides: what this machine sends to itself is not routed.",
    "rule.idle": "{rule} changes nothing: what it names goes that way without it.",
    "rule.opens-all": "{rule} lets everything go direct, in the open.",
    "rule.opens-web": "{rule} lets nearly the whole web go direct: every program, every page.",
    "rule.opens-names": "{rule} lets names be asked in the open: whoever is on the way sees which sites you visit.",
    "rule.opens-port":
      "{rule} lets every program go direct to anywhere by these ports: what else uses them is in the open too.",
    "rule.opens-system": "{rule} lets root go direct: the system's services, and answers of the system itself.",
    "rule.wide-name": "{rule} names a whole top-level domain: every site below it goes that way.",
    "names.for-all":
      "{by} asks names here for every program: whose a name is cannot be told, so names of programs go the way of all names.",
    "names.not-led":
      "This kernel cannot lead questions for names elsewhere (nft redirect): names of programs go the way of all names.",
    "names.nobody-direct": "No name server of this network is known: programs that go direct get no names.",
    "names.shared":
      "{name} and {other} have the address {address} in common, and rules send them different ways: the earlier rule decides for both.",
    "session.cut":
      "These rules would end the connection from {from} (port {port}), over which somebody works on this machine.",
    "ipv6.blocked": "The node carries no IPv6; IPv6 is blocked.",
    "ipv6.off": "IPv6 is switched off on this machine, so the tunnel takes none; IPv6 is blocked.",
    "ipv4.blocked": "The node carries no IPv4; IPv4 is blocked.",
    "exit.partial": "The node carries only some networks of IPv{family}.",
    "dns.none": "No resolver is named; names cannot be looked up.",
    "dns.immutable": "resolv.conf cannot be changed; names may not be found.",
    "vpn.beside": "{name} is also up; what it sends goes into the tunnel.",
    "form.main": "Longer routes of other programs win over this form; what they take is dropped.",
    "form.no-metric": "A default route with the best metric stands already; two halves are laid instead.",
    "form.outranked": "{prefix} is taken by another route; what goes there is dropped.",
    "uplink.ppp": "{link} is PPP over Ethernet: the third lock cannot read its frames.",
    "gate.at-rest": "The kill switch holds from boot on: culvert up connects, culvert reset opens the machine.",
    "gate.no-device-prefix": "This kernel cannot hold a link that is renamed before the next reading.",
    "gate.no-owner": "This kernel lets other programs change the gate; it is mended when they do.",
    "nft.old":
      "nft here is older than 1.1.6 and cannot read the lock on every device: `nft list ruleset` may never end; `nft list table inet culvert` does.",
    "bypass.xdp": "A program in the kernel (XDP) on an uplink passes every lock.",
    "bypass.clsact": "A traffic-control program on an uplink can send packets past the gate.",
    "bypass.af-xdp": "A program sends over AF_XDP, past every lock.",
    "stale.wg-quick":
      "A wg-quick that did not end properly left rules or filters for {link} (table {table}); its link is gone.",
    "stale.program":
      "{program} left rules, routes or filters, but {process} does not run; they may send packets nowhere.",
    "stale.adapter":
      "The tunnel {link} stands but no program holds it; what is routed into it is lost (routes: {takes}).",
    "stale.host-route":
      "A route to {address} by {gateway} stands by itself; a VPN that is gone has most likely laid it for its server.",
    "stale.gateway-gone": "{prefix} goes by {gateway}, which is on no network of {link} any more.",
    "stale.gateway-silent": "{prefix} goes by {gateway} on {link}, which does not answer.",
    "stale.blackhole": "Somebody refuses {prefix} ({type}); nothing better stands, so all of it fails.",
    "stale.own": "An older run of Culvert left {count} things.",
    "stale.names": "Names are asked of {server}, left by a tunnel that is gone ({link}).",
  },
  refusals: {
    "conf.too-big": "The file is too big: a configuration file has at most 64 KiB.",
    "conf.not-text": "This cannot be read as a text file. {text}",
    "conf.no-interface": "The file has no [Interface] section.",
    "conf.no-peer": "The file has no [Peer] section.",
    "conf.too-many-peers": "Line {line}: a second [Peer]. A node is one peer.",
    "conf.unknown-section": "Line {line}: there is no section {text} in a WireGuard file.",
    "conf.unknown-key": "Line {line}: {text} does not belong there.",
    "conf.duplicate-key": "Line {line}: {text} is there twice.",
    "conf.bad-line": "Line {line} is not understood: {text}",
    "conf.bad-key": "Line {line}: {text} is not a key of 32 bytes in base64.",
    "conf.bad-address": "Line {line}: {text} is not an address a machine can have.",
    "conf.bad-prefix": "Line {line}: {text} is not a network prefix.",
    "conf.bad-number": "Line {line}: {text} is not a number that fits.",
    "conf.bad-mtu": "Line {line}: an MTU of {text} is impossible; it is between 576 and 65535.",
    "conf.bad-endpoint": "Line {line}: {text} is not a host and a port.",
    "conf.missing": "Line {line}: this section lacks {text}.",
    "conf.overlap": "Line {line}: {text} overlaps another address of the file.",
    "conf.command": "Line {line}: {text} would run a command as root. Such a file is refused whole; nothing was run.",
    "node.unknown": "There is no such node, or more than one: {node}",
    "node.exists": "This node is there already, as {name}.",
    "node.unreachable": "The node did not answer. The machine is as it was.",
    "node.in-use": "This node is in use. Disconnect first.",
    "node.name-not-found": "The name {name} was not found.",
    "machine.no-uplink": "This machine has no way out: no network is connected.",
    "machine.no-route": "This machine has no route to the node.",
    "machine.no-tun": "This machine has no {what}: the tun module is missing.",
    "machine.no-nft": "This kernel has no nf_tables, which the kill switch needs.",
    "machine.no-rights": "The helper lacks the rights to change routes and firewall.",
    "machine.no-ipv6": "This machine has no IPv6, and the node offers nothing else.",
    "machine.other-vpn": "{name} is up and cannot share the machine: disconnect it first: {remedy} ({evidence})",
    "machine.engine-missing": "No engine is installed: neither Culvert's own nor {what}.",
    "machine.address-clash": "An address of the tunnel is in use on this machine: {address}",
    "machine.number-taken": "Another program uses a number that Culvert needs: {what}. This frees it: {remedy}",
    "machine.no-link": "There is no network device {name} on this machine.",
    "machine.names-port":
      "Port 53 of {address} is taken by another program; names that rules name cannot be answered ({errno}).",
    "finding.unknown": "There is nothing of that name to repair: {id}",
    "policy.unsupported": "A rule cannot be done on this machine: {rule} {with}",
    "policy.dead-rule": "The rule {rule} can never match: {with} stands before it.",
    "policy.contradiction": "The rule {rule} contradicts {with}.",
    "policy.oversized-lan": "The local network claims {with}, which is public or too large. Approve it if you know it.",
    "policy.list-unknown": "The prefix list {list} that a rule names is not here. Import it again.",
    "policy.cuts-session":
      "This would end the connection from {from} (port {port}), over which somebody works on this machine; nothing was changed. --keep welcomes it, --anyway goes on; policy set also takes --within SECONDS to try it.",
    "plan.leaks": "The plan would let a packet out beside the tunnel ({property}), so it was not applied: {packet}",
    "plan.not-applied": "The system refused a change, and everything was undone: {doing} {on}: {errno}",
    "plan.read-back": "What was set did not read back as planned, and everything was undone: {on}",
    "plan.fight": "Another program keeps changing the same routes or rules.",
    "call.not-allowed": "You may not control Culvert: join the group culvert, or ask root.",
    "call.malformed": "The request is malformed. {at}",
    "call.too-big": "The request is too big.",
    "call.unknown": "The helper does not know this request: {call}",
    "call.version": "The helper speaks another version ({version}). Install both from one package.",
    "call.busy": "The helper has too many requests at once. Try again.",
    "call.not-now": "Something else was asked for in between.",
    "helper.not-running": "The helper is not running. Start it: systemctl start culvert",
    "helper.failed": "Something unexpected went wrong in the helper; its log says more.",
  },
};
