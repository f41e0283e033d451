'use strict';

require('./launcher').start('post');
