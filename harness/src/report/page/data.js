'use strict';
// What the run recorded, and how it is put into words. Times are microseconds since the start of the run.
// Nothing here comes near the page as markup: texts reach it as text nodes or are drawn on a canvas.

const timeline = JSON.parse(document.getElementById('timeline').textContent);

/** What can be shown and hidden: sign, name, what it is, and whether it is shown at first. */
const KINDS = {
  request: { name: 'Requests', sign: '▭', about: 'a call of the Docker volume API, from question to answer', shown: true },
  epoch: { name: 'Epochs', sign: '▬', about: 'who owns a volume, as its record in etcd says', shown: true },
  mount: { name: 'Mounts', sign: '▬', about: 'a filesystem in a kernel, from mount to unmount', shown: true },
  export: { name: 'VLUNs', sign: '▬', about: 'a volume exported to a host', shown: true },
  accepted: { name: 'Writes accepted', sign: '○', about: 'a write that is on the medium', shown: true },
  refused: { name: 'Writes refused', sign: '✕', about: 'a write the array did not take', shown: true },
  fault: { name: 'Faults', sign: '▨', about: 'something was broken on purpose, and for how long', shown: true },
  step: { name: 'Steps', sign: '|', about: 'what a node, a plugin or the array did on the way', shown: true },
  command: { name: 'Array changes', sign: '|', about: 'a request that changes the array, or was spoiled by a fault', shown: true },
  query: { name: 'Array queries', sign: '|', about: 'a request that only reads the array', shown: false },
};
const PHASES = { fencing: 'other exports are being removed', attaching: 'being exported and attached', mounted: 'mounted', releasing: 'being released' };
const PALETTE = 8;

const nodeNumber = new Map(timeline.nodes.map((node, number) => [node, number]));
const volumeName = new Map(timeline.volumes.map((volume) => [volume.id, volume.name]));
const nameOf = (volume) => volumeName.get(volume) ?? volume;
const nodeColour = (node) => (nodeNumber.has(node) ? `--node-${nodeNumber.get(node) % PALETTE}` : '--faint');

const items = timeline.items;
items.forEach((item, index) => {
  item.index = index;
  item.sort = item.kind === 'write' ? (item.accepted ? 'accepted' : 'refused')
    : item.kind === 'command' && item.reads && !item.outcome.startsWith('FAULT') ? 'query' : item.kind;
});
const findings = timeline.findings;
const lastTime = Math.max(timeline.length, 1, ...findings.map((finding) => finding.at));
const firstTime = items.reduce((first, item) => Math.min(first, item.at), lastTime);
const endOf = (item) => item.end ?? (isBar(item) ? lastTime : item.at);

/** Lasts, or would have lasted had the run not ended. */
function isBar(item) {
  return item.kind === 'request' || item.kind === 'epoch' || item.kind === 'mount' || item.kind === 'export'
    || (item.kind === 'fault' && (item.end !== undefined || item.open === true));
}

/** Seconds with as many digits as a step of this size needs. */
function seconds(micros, step = 1000) {
  const digits = step >= 1e6 ? 0 : Math.min(6, Math.max(0, Math.ceil(-Math.log10(step / 1e6) - 1e-9)));
  return `${(micros / 1e6).toFixed(digits)} s`;
}
/** Seconds as exact as they were recorded. */
const exactly = (micros) => seconds(micros, micros % 1000 === 0 ? 1000 : 1);
function span(micros) {
  if (micros < 1000) return `${micros} µs`;
  return micros < 1e6 ? `${(micros / 1000).toFixed(micros < 1e4 ? 1 : 0)} ms` : `${(micros / 1e6).toFixed(micros < 1e7 ? 2 : 1)} s`;
}

/** The words inside a bar. */
function label(item) {
  switch (item.kind) {
    case 'request': return `${item.method}${item.volume ? ` ${nameOf(item.volume)}` : ''}`;
    case 'epoch': return `${item.node}, epoch ${item.epoch}`;
    case 'mount': return `${nameOf(item.volume)}${item.epoch ? `, epoch ${item.epoch}` : ''}`;
    case 'export': return `LUN ${item.lun}`;
    case 'fault': return item.what;
    default: return '';
  }
}

/** One line that says what an item is. */
function headline(item) {
  const volume = item.volume ? nameOf(item.volume) : '';
  switch (item.kind) {
    case 'request': {
      const answer = item.answer;
      const ending = !answer ? 'never answered' : answer.outcome === 'done' ? 'done' : answer.outcome === 'silent' ? 'caller gave up' : 'refused';
      return `${item.method} ${volume} on ${item.node}: ${ending}`.replace('  ', ' ');
    }
    case 'epoch': return `${volume}: epoch ${item.epoch} belongs to ${item.node}`;
    case 'mount': return `${item.node} has ${volume} mounted`;
    case 'export': return `${volume} exported to ${item.host} as LUN ${item.lun}`;
    case 'write': return `Write of ${item.node ?? 'an unknown issuer'}${volume ? ` to ${volume}` : ''} ${item.accepted ? 'accepted' : 'refused'}`;
    case 'fault': return `Fault${item.node ? ` on ${item.node}` : ''}: ${item.what}`;
    case 'command': return `${item.command}: ${item.outcome}`;
    default: return `${item.lane === 'site' ? '' : `${item.lane}: `}${item.what}`;
  }
}

/** Everything known of an item, as pairs of name and value. */
function facts(item) {
  const rows = [];
  const add = (name, value, bad) => { if (value !== undefined && value !== null && value !== '') rows.push({ name, value: String(value), bad }); };
  add('Volume', item.volume && nameOf(item.volume));
  if (item.volume && nameOf(item.volume) !== item.volume) add('WWN', item.volume);
  add(item.kind === 'epoch' ? 'Owner' : 'Node', item.node);
  add('Caller', item.caller);
  add('Asked', item.asked);
  if (item.answer) add('Answer', item.answer.text || item.answer.outcome, item.answer.outcome !== 'done');
  else if (item.kind === 'request') add('Answer', 'none before the run ended', true);
  add('Epoch', item.epoch);
  add('Host', item.host !== item.node ? item.host : undefined);
  add('LUN', item.lun);
  add('VLUN', item.generation && `number ${item.generation} in the life of the array`);
  add('Byte', item.offset);
  add('Issued by', item.kind === 'write' && item.boot !== undefined ? `boot ${item.boot}, mount ${item.mount} of ${item.node}` : undefined);
  add('Life', item.kind === 'mount' ? `boot ${item.boot}, mount ${item.mount}` : undefined);
  add('Directory', item.directory);
  add('Records found', item.records);
  add('Ended', item.ending);
  add('Over', item.channel);
  add('Outcome', item.kind === 'command' ? item.outcome : undefined, item.outcome !== 'done');
  add('Why', item.reason, true);
  for (const phase of item.phases ?? []) {
    add(`at ${seconds(phase.at)}`, `${phase.phase}: ${PHASES[phase.phase] ?? ''}${phase.lun ? ` (LUN ${phase.lun})` : ''}`);
  }
  return rows;
}

/** Everything that a search looks through. */
const searchText = new Map();
function textOf(item) {
  let text = searchText.get(item);
  if (text === undefined) {
    text = [headline(item), ...facts(item).map((row) => `${row.name} ${row.value}`)].join('\n').toLowerCase();
    searchText.set(item, text);
  }
  return text;
}

/** The colour an item is shown in outside the time line, as the name of a style property. */
function swatchOf(item) {
  if (item.sort === 'refused') return '--bad';
  if (item.kind === 'fault') return '--warn';
  if (item.kind === 'request') return answerColour(item);
  return nodeColour(item.node);
}
function answerColour(item) {
  const outcome = item.answer?.outcome;
  return outcome === 'done' ? '--good' : outcome === 'refused' ? '--warn' : '--faint';
}

/** The item a violation speaks of: the most telling one of that very moment. */
function culprit(finding) {
  const telling = ['write', 'export', 'mount', 'request', 'epoch', 'fault', 'step', 'command'];
  const touches = (item) => item.at === finding.at || item.end === finding.at || (item.phases ?? []).some((phase) => phase.at === finding.at);
  let best;
  for (const item of items) {
    if (touches(item) && (!best || telling.indexOf(item.kind) < telling.indexOf(best.kind))) best = item;
  }
  return best;
}
const culprits = new Set(findings.map(culprit));
