// How other VPNs give themselves away: marks, tables and nft tables as these programs take them (the field's collision map),
// the processes that run while they are up, and how a person ends them.
export interface Sign {
  readonly name: string;
  readonly tables?: readonly number[];
  readonly marks?: readonly number[];
  /** Name of its nft table. */
  readonly nft?: string;
  /** It sets the whole mark word, so its presence alone excludes. */
  readonly wholeMark?: true;
  /** As /proc/PID/comm has them: at most 15 bytes (TASK_COMM_LEN). */
  readonly programs: readonly string[];
  readonly end: string;
}

export const signs: readonly Sign[] = [
  {
    ...{ name: "Mullvad VPN", tables: [0x6d6f_6c65], marks: [0x6d6f_6c65], nft: "mullvad", wholeMark: true },
    ...{ programs: ["mullvad-daemon"], end: "mullvad disconnect" },
  },
  {
    ...{ name: "Nym VPN", tables: [0x14d], marks: [0x14d], nft: "nym", wholeMark: true },
    ...{ programs: ["nym-vpnd"], end: "nym-vpnc disconnect" },
  },
  {
    ...{ name: "Tailscale", tables: [52], marks: [0x8_0000] },
    ...{ programs: ["tailscaled"], end: "tailscale set --exit-node=" },
  },
  { name: "NetBird", tables: [7120], marks: [0x1_bd00], programs: ["netbird"], end: "netbird down" },
  {
    ...{ name: "Firezone", tables: [0x2021_fd00, 0x2021_fd01, 0x2021_fd02], marks: [0xfd00_2021] },
    ...{ programs: ["firezone-client"], end: "systemctl stop firezone-client-ipc" },
  },
  {
    ...{ name: "Private Internet Access", marks: [0x3211, 0x3212, 0x3213] },
    ...{ programs: ["pia-daemon"], end: "piactl disconnect" },
  },
  {
    ...{ name: "sing-box or mihomo", tables: [2022], marks: [0x2023, 0x2024, 0x2025] },
    ...{ programs: ["sing-box", "mihomo", "verge-mihomo", "clash"], end: "systemctl stop sing-box" },
  },
  {
    ...{ name: "strongSwan", tables: [220] },
    ...{ programs: ["charon", "charon-systemd", "charon-nm"], end: "swanctl --terminate --ike '*'" },
  },
  { name: "IVPN", tables: [17], programs: ["ivpn-service"], end: "ivpn disconnect" },
];

/** Programs that hold a tunnel and leave its routes to main: while one of them runs, nothing of theirs is stale. */
export const tunnelPrograms: readonly string[] = [
  ...["openvpn", "openconnect", "vpnc", "pppd", "xl2tpd", "wireguard-go", "boringtun", "boringtun-cli", "gpclient"],
  ...signs.flatMap((sign) => sign.programs),
];
