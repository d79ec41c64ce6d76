/** The menu of who is signed in: who I am, what I use, and the way to my keys and, for admins, to the service's state. */

import { account } from '../lib/api.js';
import { byId, setProgress, setText } from '../lib/dom.js';
import { usageInWords } from './healthwords.js';
import { menu } from '../lib/menu.js';
import { userInWords } from '../lib/words.js';

const ROLES = { admin: 'Administrator', user: 'User' };

export class Account {
  #user = null;

  constructor() {
    menu(byId('account-button'), byId('account-menu'));
    // As of now, each time it is looked at.
    byId('account-button').addEventListener('click', () => this.#showUsage());
  }

  /** `user` is `{user, role}`, or null. */
  show(user) {
    this.#user = user;
    byId('account').hidden = user === null;
    if (user === null) return;
    setText(byId('user'), userInWords(user.user));
    setText(byId('account-name'), userInWords(user.user));
    byId('account-name').title = user.user;
    setText(byId('account-role'), ROLES[user.role] ?? user.role);
    for (const id of ['account-health', 'account-audit']) byId(id).hidden = user.role !== 'admin';
    byId('account-usage').hidden = true;
  }

  async #showUsage() {
    const user = this.#user;
    let usage;
    try {
      usage = await account.usage();
    } catch {
      // A help only: without it the menu is as good.
      return;
    }
    if (this.#user !== user) return;
    const { text, fraction } = usageInWords(usage);
    setText(byId('account-usage-text'), text);
    byId('account-usage').hidden = false;
    byId('account-usage-bar').hidden = fraction === null;
    if (fraction !== null) setProgress(byId('account-usage-bar'), fraction);
  }
}
