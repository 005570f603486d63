// SPDX-License-Identifier: ISC
// For import: the client, with the socket.io-client that is installed beside it.
import * as socketIo from 'socket.io-client';
import client from './src/index.js';

const installedIo = socketIo.io || socketIo.default;	// 4.x, 2.x

export const connect = (target, options) => client.connect(target, { io: installedIo, ...options });
export const { UsherError, webStorage } = client;
