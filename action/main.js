'use strict';

require('./launcher').start('main');
