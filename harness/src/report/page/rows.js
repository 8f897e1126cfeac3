// Which items are shown, and on which row: lanes of nodes, of etcd and of the array, each with its rows.

const hidden = { kind: new Set(Object.keys(KINDS).filter((kind) => !KINDS[kind].shown)), node: new Set(), volume: new Set() };
const folded = new Set();
const ROW = 22;
/** A row with a bar for the export and a line of writes under it. */
const TRAFFIC = 31;
const HEAD = 24;
/** Rows that things which overlap in time may take before they share the last one. */
const ROWS_AT_MOST = 5;
/** Volumes that get a row of their own on a node; beyond them, mounts share rows. */
const VOLUMES_APART = 6;

let lanes = [];
/** Shown items in order of time. */
let shown = [];
const rowOf = new Map();

function isShown(item) {
  return !hidden.kind.has(item.sort) && !(item.node && hidden.node.has(item.node)) && !(item.volume && hidden.volume.has(item.volume));
}

/** Puts what overlaps in time on different rows. */
function spread(title, all, most = ROWS_AT_MOST) {
  const rows = [];
  const ends = [];
  for (const item of all) {
    let place = ends.findIndex((end) => end <= item.at);
    if (place < 0) place = ends.length < most ? ends.length : most - 1;
    ends[place] = Math.max(ends[place] ?? 0, endOf(item));
    (rows[place] ??= { title: place === 0 ? title : '', items: [] }).items.push(item);
  }
  return rows;
}

/** One row for each group, in the given order of groups. */
function apart(all, keyOf, order, rowFor) {
  const groups = new Map();
  for (const item of all) {
    const key = keyOf(item);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(item);
  }
  return order.filter((key) => groups.has(key)).map((key) => ({ ...rowFor(key), items: groups.get(key) }));
}

function rowsOfNode(own) {
  const of = (...kinds) => own.filter((item) => kinds.includes(item.kind));
  const mounts = of('mount');
  const volumes = [...new Set(mounts.map((item) => item.volume))];
  const mounted = volumes.length <= VOLUMES_APART
    ? volumes.flatMap((volume) => spread(`mount ${nameOf(volume)}`, mounts.filter((item) => item.volume === volume), 2))
    : spread('mounts', mounts);
  return [...spread('faults', of('fault')), ...spread('requests', of('request')), ...mounted, ...spread('steps', of('step', 'command'), 1)];
}

function rowsOfStore(own) {
  const order = timeline.volumes.map((volume) => volume.id);
  const epochs = apart(own.filter((item) => item.kind === 'epoch'), (item) => item.volume, order, (volume) => ({ title: nameOf(volume) }));
  return [...epochs, ...spread('faults', own.filter((item) => item.kind === 'fault')), ...spread('steps', own.filter((item) => item.kind === 'step'), 1)];
}

function rowsOfArray(own) {
  const traffic = own.filter((item) => item.kind === 'export' || item.kind === 'write');
  const rows = [];
  for (const volume of timeline.volumes) {
    const here = traffic.filter((item) => item.volume === volume.id);
    const hosts = [...new Set([...timeline.nodes, ...here.map((item) => item.node ?? item.host ?? '')])];
    rows.push(...apart(here, (item) => item.node ?? item.host ?? '', hosts, (host) => ({ title: `${volume.name} → ${host || 'unknown'}`, colour: nodeColour(host), height: TRAFFIC })));
  }
  const astray = traffic.filter((item) => !item.volume || !volumeName.has(item.volume));
  if (astray.length > 0) rows.push({ title: 'no volume', items: astray, height: TRAFFIC });
  rows.push(...spread('faults', own.filter((item) => item.kind === 'fault')));
  rows.push(...spread('requests', own.filter((item) => item.kind === 'command' || item.kind === 'step'), 1));
  return rows;
}

/** Works out lanes and rows anew, after a filter has changed. */
function arrange() {
  shown = items.filter(isShown).sort((a, b) => a.at - b.at || a.index - b.index);
  const byLane = new Map();
  for (const item of shown) {
    if (!byLane.has(item.lane)) byLane.set(item.lane, []);
    byLane.get(item.lane).push(item);
  }
  const known = new Set([...timeline.nodes, 'etcd', 'array']);
  const others = [...byLane.keys()].filter((lane) => !known.has(lane));
  const nodes = timeline.nodes.filter((node) => !hidden.node.has(node));
  lanes = ['etcd', 'array', ...nodes, ...others].map((name) => {
    const own = byLane.get(name) ?? [];
    const rows = name === 'etcd' ? rowsOfStore(own) : name === 'array' ? rowsOfArray(own) : rowsOfNode(own);
    const troubles = own.filter((item) => item.kind === 'fault' && isBar(item));
    return { name, rows, count: own.length, colour: nodeNumber.has(name) ? nodeColour(name) : undefined, troubles };
  }).filter((lane) => lane.count > 0 || nodeNumber.has(lane.name));
  place();
}

/** Gives every lane and row its height. */
function place() {
  rowOf.clear();
  let y = 0;
  for (const lane of lanes) {
    lane.y = y;
    y += HEAD;
    for (const row of lane.rows) {
      row.lane = lane;
      const height = row.height ?? ROW;
      row.y = folded.has(lane.name) ? lane.y + 1 : y;
      row.tall = folded.has(lane.name) ? ROW : height;
      for (const item of row.items) rowOf.set(item, row);
      if (!folded.has(lane.name)) y += height;
    }
    y += 6;
    lane.height = y - lane.y;
  }
  lanes.height = y;
}
