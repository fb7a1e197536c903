// An AMQP 1.0 client of rhea: client.js URL COMMAND QUEUE [CERTS]
//
//   send     sends a message of each kind, and prints what became of each
//   receive  prints each message until one comes that says "end"
//   ask      sends a request with a dynamic reply address, and prints the reply
//   echo     takes a message from QUEUE and sends it to QUEUE.back
//   listen   is no client, but a peer at the address of the URL. It prints "ready". Whoever receives from it gets the
//            messages a to e, and it prints the outcome of each; what is sent to it gets the outcome that its body names

const fs = require('fs');
const rhea = require('rhea');

const [url, command, queue, certs] = process.argv.slice(2);
const at = new URL(url);
const types = rhea.types;

setTimeout(() => { console.error('no end within 40 s'); process.exit(1); }, 40000).unref();

function plain(v) {
  if (Buffer.isBuffer(v)) {
    return 'binary:' + v.toString('hex');
  }
  if (v && v.type && v.value !== undefined) {
    return (v.descriptor ? 'described:' + plain(v.descriptor) + ':' : '') + plain(v.value);
  }
  if (v instanceof Date) {
    return 'date:' + v.getTime();
  }
  if (Array.isArray(v)) {
    return '[' + v.map(plain).join(',') + ']';
  }
  if (v && typeof v === 'object') {
    return v.typecode !== undefined ? plain(v.content) : '{' + Object.keys(v).sort().map((k) => k + '=' + plain(v[k])).join(',') + '}';
  }
  return typeof v + ':' + v;
}

function show(m) {
  const body = m.body && m.body.typecode ? 'section' + m.body.typecode + ':' + plain(m.body.content) : plain(m.body);
  console.log([body, m.content_type || '-', 'durable=' + !!m.durable, plain(m.application_properties || {})].join(' '));
}

function outcome(delivery, name) {
  const outcomes = {
    accepted: () => delivery.accept(),
    rejected: () => delivery.reject({condition: 'app:no', description: 'not like that'}),
    released: () => delivery.release(),
    modified: () => delivery.modified({delivery_failed: true, undeliverable_here: false}),
  };
  (outcomes[name] || outcomes.accepted)();
}

const asQueue = {address: queue, capabilities: ['queue']};

// each sends messages one after the other, and prints what became of each.
function each(connection, messages, done) {
  const sender = connection.open_sender({target: asQueue});
  const left = messages.slice();
  const next = () => (left.length ? sender.send(left.shift()) : done());
  sender.once('sendable', next);
  for (const name of ['accepted', 'rejected', 'released', 'modified']) {
    sender.on(name, (context) => {
      console.log(name + (context.delivery.remote_state && context.delivery.remote_state.error ? ' ' + context.delivery.remote_state.error.condition : ''));
      next();
    });
  }
}

const messages = [
  {message_id: types.wrap_ulong(7), body: 'h\u00e9llo', durable: true, group_id: 'group', application_properties: {
    colour: 'red', number: types.wrap_int(-42), big: types.wrap_long(9007199254740991), half: types.wrap_double(0.5), yes: true, sym: types.wrap_symbol('s'),
  }},
  {message_id: 'id', body: rhea.message.data_section(Buffer.from([0, 255])), content_type: 'application/x-test', correlation_id: types.wrap_ulong(5)},
  {message_id: types.wrap_uuid(Buffer.from('00000000000000000000000000000007', 'hex')), body: {name: 'w\u00f6rth', n: types.wrap_ulong(5)}},
  {message_id: types.wrap_binary(Buffer.from('7')), body: rhea.message.sequence_section([1, 'two'])},
  {body: [types.wrap_described(types.wrap_list([types.wrap_string('EUR'), types.wrap_int(5)]), 'com.example:money')]},
  {body: types.wrap_timestamp(1700000000123)},
  {body: types.wrap_array([1, 2], 0x71)},
  {body: 'end'},
];

const commands = {
  send: (c) => each(c, messages, () => c.close()),
  receive: (c) => {
    c.open_receiver({source: asQueue, autoaccept: true}).on('message', (context) => {
      show(context.message);
      if (context.message.body === 'end') {
        c.close();
      }
    });
  },
  ask: (c) => {
    const r = c.open_receiver({source: {address: '', dynamic: true}});
    r.on('receiver_open', () => {
      const s = c.open_sender({target: asQueue});
      s.once('sendable', () => s.send({message_id: 'request', reply_to: r.source.address, body: 'question'}));
    });
    r.on('message', (context) => {
      console.log(context.message.body + ' ' + context.message.correlation_id);
      c.close();
    });
  },
  echo: (c) => {
    c.open_receiver({source: asQueue, credit_window: 0}).on('message', (context) => {
      const s = c.open_sender({target: {address: queue + '.back', capabilities: ['queue']}});
      s.once('sendable', () => s.send({body: context.message.body, durable: true}));
      s.once('accepted', () => c.close());
    }).add_credit(1);
  },
};

function connect() {
  const options = {host: at.hostname, port: at.port, reconnect: false, idle_time_out: 10000};
  if (at.protocol === 'amqps:') {
    Object.assign(options, {transport: 'tls', ca: [fs.readFileSync(certs + '/ca.pem')], rejectUnauthorized: true, servername: 'localhost'});
    if (!at.username) {
      Object.assign(options, {cert: fs.readFileSync(certs + '/client.crt'), key: fs.readFileSync(certs + '/client.key'), enable_sasl_external: true});
    }
  }
  if (at.username) {
    Object.assign(options, {username: at.username, password: at.password});
  }
  const fail = (context) => {
    const error = context instanceof Error ? context.stack : context.error || (context.connection && context.connection.get_error());
    console.error(String(error));
    process.exit(1);
  };
  const container = rhea.create_container();
  for (const event of ['connection_error', 'disconnected', 'session_error', 'sender_error', 'receiver_error', 'error']) {
    container.on(event, fail);
  }
  container.once('connection_open', (context) => commands[command](context.connection));
  container.connect(options);
}

function listen() {
  const container = rhea.create_container();
  for (const event of ['connection_error', 'session_error', 'sender_error', 'receiver_error']) {
    container.on(event, () => {});
  }
  container.on('disconnected', () => {});
  container.on('sender_open', (context) => {
    context.sender.set_source(context.sender.source);
    for (const body of ['a', 'b', 'c', 'd', 'e']) {
      context.sender.send({message_id: body, body});
    }
  });
  for (const name of ['accepted', 'rejected', 'released', 'modified']) {
    container.on(name, (context) => {
      const state = context.delivery.remote_state;
      const more = name === 'modified' ? ' failed=' + !!state.delivery_failed + ' elsewhere=' + !!state.undeliverable_here : '';
      console.log('message ' + context.delivery.tag + ' ' + name + more);
    });
  }
  container.on('receiver_open', (context) => context.receiver.set_target(context.receiver.target));
  container.on('message', (context) => outcome(context.delivery, context.message.body));
  container.listen({host: at.hostname, port: at.port, receiver_options: {autoaccept: false}, sender_options: {treat_modified_as_released: false}}).on('listening', () => console.log('ready'));
}

if (command === 'listen') {
  listen();
} else {
  connect();
}
