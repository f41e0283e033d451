'use strict';

const http = require('node:http');
const https = require('node:https');
const tls = require('node:tls');

const { loopback } = require('./inputs');
const proxies = require('./proxy');

// Failure is an answer, or the lack of one, that makes an attempt end. wait is how long the server asked to be left alone.
class Failure extends Error {
  constructor(message, { retry = false, wait = 0, status = 0 } = {}) {
    super(message);
    this.retry = retry;
    this.wait = wait;
    this.status = status;
  }
}

const redirects = 5;

// get asks for a URL and follows redirects. It resolves with the answer's stream once that is 200. The token goes to the
// first URL's origin only: GitHub and object stores redirect to hosts that it is not for.
async function get(url, { token, env, signal, connect, idle }) {
  if (token && url.protocol !== 'https:' && !loopback(url.hostname)) throw new Failure(`no token is sent to ${url.host} without https`);
  const origin = url.origin;
  let safe = url.protocol === 'https:';
  for (let hop = 0; ; hop++) {
    const headers = { 'User-Agent': 'hallmark-action', Accept: 'application/octet-stream' };
    if (token && url.origin === origin) headers.Authorization = 'Bearer ' + token;
    const answer = await once(url, { headers, env, signal, connect, idle });
    const status = answer.statusCode;
    if (status === 200) return answer;
    answer.destroy(); // what it says besides is of no use
    if (![301, 302, 303, 307, 308].includes(status) || !answer.headers.location) {
      throw new Failure(`${url.host} answered ${status} ${answer.statusMessage}`, {
        retry: status === 408 || status === 429 || status >= 500,
        wait: after(answer.headers['retry-after']),
        status,
      });
    }
    if (hop === redirects) throw new Failure(`${url.host} redirected for the ${redirects + 1}th time`);
    let next;
    try {
      next = new URL(answer.headers.location, url);
    } catch {
      throw new Failure(`${url.host} redirected to something that is no URL`);
    }
    if (next.protocol !== 'https:' && (safe || next.protocol !== 'http:')) {
      throw new Failure(`${url.host} redirected to ${next.protocol}//${next.host}, which is not protected as the first request was`);
    }
    safe = safe || next.protocol === 'https:';
    url = next;
  }
}

// after reads Retry-After, in milliseconds.
function after(header) {
  if (!header) return 0;
  const wait = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return wait > 0 ? wait : 0;
}

// once sends one request, through the proxy that the environment names, and resolves with whatever comes back.
async function once(url, { headers, env, signal, connect, idle }) {
  const proxy = proxies.choose(url, env);
  const options = { method: 'GET', headers, agent: false, signal };
  let target = url;
  let socket;
  if (proxy && url.protocol === 'https:') {
    socket = await tunnel(proxy, url, { signal, connect });
    options.createConnection = () => tls.connect({ socket, servername: url.hostname.replace(/^\[|\]$/g, ''), ALPNProtocols: ['http/1.1'] });
  } else if (proxy) {
    target = proxy;
    options.path = url.href;
    options.headers = { ...headers, Host: url.host, ...proxies.credentials(proxy) };
  }
  return new Promise((resolve, reject) => {
    const request = (target.protocol === 'https:' ? https : http).request(target, options);
    const begun = setTimeout(() => request.destroy(new Error(`no answer within ${connect / 1000} s`)), connect);
    request.setTimeout(idle, () => request.destroy(new Error(`nothing came for ${idle / 1000} s`)));
    request.on('response', (answer) => {
      clearTimeout(begun);
      if (socket) answer.on('close', () => socket.destroy()); // nobody else ends the tunnel, and Node waits for it
      resolve(answer);
    });
    request.on('error', (cause) => {
      clearTimeout(begun);
      reject(unreached(url, proxy, cause));
    });
    request.end();
  });
}

// tunnel opens a connection to the target through the proxy.
function tunnel(proxy, url, { signal, connect }) {
  return new Promise((resolve, reject) => {
    const authority = `${url.hostname}:${url.port || 443}`;
    const request = (proxy.protocol === 'https:' ? https : http).request({
      host: proxy.hostname.replace(/^\[|\]$/g, ''),
      port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
      method: 'CONNECT',
      path: authority,
      headers: { Host: authority, ...proxies.credentials(proxy) },
      agent: false,
      signal,
      timeout: connect,
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${connect / 1000} s`)));
    request.on('error', (cause) => reject(unreached(url, proxy, cause)));
    request.on('connect', (answer, socket) => {
      if (answer.statusCode === 200) return resolve(socket);
      socket.destroy();
      reject(
        new Failure(`the proxy ${proxy.host} answered ${answer.statusCode} ${answer.statusMessage} for ${authority}`, {
          retry: answer.statusCode >= 500,
          status: answer.statusCode,
        }),
      );
    });
    request.end();
  });
}

// What a second attempt cannot mend: the certificate is the same the next time.
const lasting = /^(CERT_|ERR_TLS_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET|VERIFY)_)/;

function unreached(url, proxy, cause) {
  if (cause instanceof Failure || cause.name === 'AbortError') return cause;
  const by = proxy ? ` through the proxy ${proxy.host}` : '';
  const final = lasting.test(cause.code || '');
  const remedy = final ? '. NODE_EXTRA_CA_CERTS on the runner names certificates that it should trust' : '';
  return new Failure(`${url.host} was not reached${by}: ${cause.message || cause.code}${remedy}`, { retry: !final });
}

module.exports = { get, Failure };
