BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0004');
CREATE TABLE artifacts (
	job_id VARCHAR(40) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	media_type VARCHAR(100) NOT NULL, 
	size BIGINT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	"key" VARCHAR(400) NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT artifacts_pk PRIMARY KEY (job_id, name), 
	CONSTRAINT artifacts_job_id_fk FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
INSERT INTO "artifacts" VALUES('job_01M8QDJY69CM9NXE1V2JW83Z5A','dataset.npz','result','application/octet-stream',5002,'275bb6a52d4b39860344431adcdad3405d6cf9a9a2a503aa98affb178e3e42e1','job_01M8QDJY69CM9NXE1V2JW83Z5A/1/dataset.npz',1796082338144);
INSERT INTO "artifacts" VALUES('job_01M8QDJY69CM9NXE1V2JW83Z5A','thumbnails.png','result','image/png',73462,'732e56186b5581d7d0114a91c47ab02660d3c47047790b3aa913383563d0127d','job_01M8QDJY69CM9NXE1V2JW83Z5A/1/thumbnails.png',1796082338145);
INSERT INTO "artifacts" VALUES('job_01M8QDJY69CM9NXE1V2JW83Z5A','manifest.json','result','application/json',1041,'b3c6a84c02872cf25a55433e18e35728e8d2d99dd18e4022e21e8df00b1aeaba','job_01M8QDJY69CM9NXE1V2JW83Z5A/1/manifest.json',1796082338145);
INSERT INTO "artifacts" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','spec.json','result','application/json',2257,'57b730168b08c472f27834fcd1328c075d52a746eaab3b14a033ba0e803f648b','job_01M8QDK2F4RZP0DJ576QGZ9J62/1/spec.json',1796082350726);
INSERT INTO "artifacts" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','environment.json','result','application/json',599,'56f64d3df24d8d52238d2edc6e94d357bbc99da9bbcb20242be8d6e63f7646be','job_01M8QDK2F4RZP0DJ576QGZ9J62/1/environment.json',1796082350728);
INSERT INTO "artifacts" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','student.safetensors','result','application/octet-stream',1796,'04fedd0ded7f6603a7618e7c13bccb460a331ba7a4b0c9f267ccce46e10c632e','job_01M8QDK2F4RZP0DJ576QGZ9J62/1/student.safetensors',1796082350729);
INSERT INTO "artifacts" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','teacher.safetensors','result','application/octet-stream',2364,'8516be0d7bea09e2dc7effba0eb42cac1fd9bff89e9300c836c3a4e1fe7ee82e','job_01M8QDK2F4RZP0DJ576QGZ9J62/1/teacher.safetensors',1796082350729);
INSERT INTO "artifacts" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','baseline.safetensors','result','application/octet-stream',1804,'5f31e944467dd57c908b721b626b82bf2c16f1b507edd7cf1b8ec01b6c06d0e2','job_01M8QDK2F4RZP0DJ576QGZ9J62/1/baseline.safetensors',1796082350737);
INSERT INTO "artifacts" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','metrics.csv','result','text/csv; charset=utf-8',1241,'159599264bef2bcda88cca2ff17cd2f24cbe7f56ba1c14cc3ef595cef06e6242','job_01M8QDK2F4RZP0DJ576QGZ9J62/1/metrics.csv',1796082350738);
INSERT INTO "artifacts" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','curves.png','result','image/png',61375,'b9f9e1c51cb7c5a4561c51500843ff41dc4267c1e1854ae2a0b70d34399dab32','job_01M8QDK2F4RZP0DJ576QGZ9J62/1/curves.png',1796082350739);
INSERT INTO "artifacts" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','tensorboard/teacher-0/events.out.tfevents.0','result','application/octet-stream',608,'d654464f7ab78ffe0e550d2afaac3aa2e693083626107bf843da9dccf28028c5','job_01M8QDK2F4RZP0DJ576QGZ9J62/1/tensorboard/teacher-0/events.out.tfevents.0',1796082350740);
INSERT INTO "artifacts" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','tensorboard/baseline-0/events.out.tfevents.0','result','application/octet-stream',608,'e80c95380646bb25980bde0257efb57e0ccdd375d721e716bc807ec3c83201d2','job_01M8QDK2F4RZP0DJ576QGZ9J62/1/tensorboard/baseline-0/events.out.tfevents.0',1796082350742);
INSERT INTO "artifacts" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','tensorboard/student-0/events.out.tfevents.0','result','application/octet-stream',608,'f52f1d4772177ac738a4e9c57ee0353dbea0026531fa26cff804e61994636536','job_01M8QDK2F4RZP0DJ576QGZ9J62/1/tensorboard/student-0/events.out.tfevents.0',1796082350750);
INSERT INTO "artifacts" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','tensorboard/baseline-1/events.out.tfevents.0','result','application/octet-stream',608,'bfec76cdcd119250de15e44642b63f66185a4b00ea1eb9b4fb69204b488e9479','job_01M8QDK2F4RZP0DJ576QGZ9J62/1/tensorboard/baseline-1/events.out.tfevents.0',1796082350751);
INSERT INTO "artifacts" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','tensorboard/student-1/events.out.tfevents.0','result','application/octet-stream',608,'a45a3090f3d860032ddcd1c3dbceea9176ea2bc0a9b55bbc7bf3cc6b9e794e8e','job_01M8QDK2F4RZP0DJ576QGZ9J62/1/tensorboard/student-1/events.out.tfevents.0',1796082350751);
INSERT INTO "artifacts" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','confusion.png','result','image/png',18792,'70fb9a5c171df01f0a40380a8ca42ad2b1b02fced6e8de51e95ca8f1b3ef70e6','job_01M8QDK2F4RZP0DJ576QGZ9J62/1/confusion.png',1796082350752);
INSERT INTO "artifacts" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','MODEL_CARD.md','result','text/markdown; charset=utf-8',1754,'bbb5cf708af33632e781b1f1e0686884cd318017962f99e7c331daa116ea3bcd','job_01M8QDK2F4RZP0DJ576QGZ9J62/1/MODEL_CARD.md',1796082350752);
INSERT INTO "artifacts" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','report.json','result','application/json',10114,'1590830d6ffc677954af05ee1adfaa6c8e05c50a754624a74d9174a94947ece3','job_01M8QDK2F4RZP0DJ576QGZ9J62/1/report.json',1796082350753);
INSERT INTO "artifacts" VALUES('job_01M8QDKET8CGGK9PZ4SHESFAWM','model.safetensors','result','application/octet-stream',1388,'c9130cbb92c110d6a30069a71483c91a820d61895a8d7d53c468980ec51b3403','job_01M8QDKET8CGGK9PZ4SHESFAWM/1/model.safetensors',1796082362008);
INSERT INTO "artifacts" VALUES('job_01M8QDKET8CGGK9PZ4SHESFAWM','spec.json','result','application/json',660,'2905aa1a2fed59a43a823df6256075073334ce904bfba52725fffce719d5d76a','job_01M8QDKET8CGGK9PZ4SHESFAWM/1/spec.json',1796082362009);
INSERT INTO "artifacts" VALUES('job_01M8QDKET8CGGK9PZ4SHESFAWM','report.json','result','application/json',1813,'2f3e6394c4596606a73a3a31f4dfd59ab840c5367b300d615a89900b0ab03f6d','job_01M8QDKET8CGGK9PZ4SHESFAWM/1/report.json',1796082362010);
INSERT INTO "artifacts" VALUES('job_01M8QDKET8CGGK9PZ4SHESFAWM','confusion.png','result','image/png',23396,'f08e349e5611ee280ad5dff6c54170f911af883c76fbd15dec93acba8246cb67','job_01M8QDKET8CGGK9PZ4SHESFAWM/1/confusion.png',1796082362018);
INSERT INTO "artifacts" VALUES('job_01M8QDKSTG24P881KZYWW99R00','spec.json','result','application/json',611,'9757a2364b432e3fcd71d1e409915d0c78f31711ea8de68d43c62dfbde38e89c','job_01M8QDKSTG24P881KZYWW99R00/1/spec.json',1796082372944);
INSERT INTO "artifacts" VALUES('job_01M8QDKSTG24P881KZYWW99R00','environment.json','result','application/json',550,'1764a9dea8d22641e8165fc70c18446f6b6577d2fd58edb41f46c9222ba81327','job_01M8QDKSTG24P881KZYWW99R00/1/environment.json',1796082372944);
INSERT INTO "artifacts" VALUES('job_01M8QDKSTG24P881KZYWW99R00','report.json','result','application/json',1494,'44d8a06224bc1caa73664b43258e1daf57c51bd90fe31c32fa014777a2215734','job_01M8QDKSTG24P881KZYWW99R00/1/report.json',1796082372944);
INSERT INTO "artifacts" VALUES('job_01M8QDKSTG24P881KZYWW99R00','confusion.png','result','image/png',23396,'f08e349e5611ee280ad5dff6c54170f911af883c76fbd15dec93acba8246cb67','job_01M8QDKSTG24P881KZYWW99R00/1/confusion.png',1796082372945);
INSERT INTO "artifacts" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','checkpoint-1-8.safetensors','checkpoint','application/octet-stream',30888,'c45fa025af801dd1b432e8879f62da7344f52fcead723c83346cdc56cb5a927f','job_01M8QDM4FGE4AJ8F54BDAB5Q8R/1/checkpoint-1-8.safetensors',1796082381101);
INSERT INTO "artifacts" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','checkpoint-1-9.safetensors','checkpoint','application/octet-stream',32056,'37347c708341cd407b89f1f485da35ff3b0b71826fabb3d332e61768d5f9886e','job_01M8QDM4FGE4AJ8F54BDAB5Q8R/1/checkpoint-1-9.safetensors',1796082381693);
CREATE TABLE datasets (
	id VARCHAR(40) NOT NULL, 
	owner VARCHAR(100) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	job_id VARCHAR(40) NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT datasets_pk PRIMARY KEY (id), 
	CONSTRAINT datasets_job_id_fk FOREIGN KEY(job_id) REFERENCES jobs (id)
);
INSERT INTO "datasets" VALUES('ds_01M8QDJY6G5C18JMQCR0BBAJ4R','local','rows','job_01M8QDJY69CM9NXE1V2JW83Z5A',1796082333904);
CREATE TABLE deliveries (
	id VARCHAR(40) NOT NULL, 
	job_id VARCHAR(40) NOT NULL, 
	owner VARCHAR(100) NOT NULL, 
	url TEXT NOT NULL, 
	body TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	tries INTEGER NOT NULL, 
	due_at BIGINT NOT NULL, 
	last_error TEXT, 
	created_at BIGINT NOT NULL, 
	settled_at BIGINT, 
	CONSTRAINT deliveries_pk PRIMARY KEY (id)
);
CREATE TABLE idempotency_keys (
	owner VARCHAR(100) NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	body_sha256 VARCHAR(64) NOT NULL, 
	job_id VARCHAR(40) NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT idempotency_keys_pk PRIMARY KEY (owner, "key"), 
	CONSTRAINT idempotency_keys_job_id_fk FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
CREATE TABLE job_events (
	job_id VARCHAR(40) NOT NULL, 
	seq BIGINT NOT NULL, 
	attempt INTEGER NOT NULL, 
	type VARCHAR(32) NOT NULL, 
	data JSON NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT job_events_pk PRIMARY KEY (job_id, seq), 
	CONSTRAINT job_events_job_id_fk FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
INSERT INTO "job_events" VALUES('job_01M8QDJY69CM9NXE1V2JW83Z5A',1,0,'created','{"name": "rows"}',1796082333903);
INSERT INTO "job_events" VALUES('job_01M8QDJY69CM9NXE1V2JW83Z5A',2,1,'claimed','{"worker": "worker-1", "attempt": 1}',1796082333964);
INSERT INTO "job_events" VALUES('job_01M8QDJY69CM9NXE1V2JW83Z5A',3,1,'run_started','{"device": "cpu", "threads": 1, "resumed": false}',1796082336940);
INSERT INTO "job_events" VALUES('job_01M8QDJY69CM9NXE1V2JW83Z5A',4,1,'phase_started','{"phase": "check", "repeat": 0, "epochs": 0, "first_epoch": 0}',1796082337467);
INSERT INTO "job_events" VALUES('job_01M8QDJY69CM9NXE1V2JW83Z5A',5,1,'phase_ended','{"phase": "check", "repeat": 0, "source": "given", "metrics": {"train_images": 72.0, "test_images": 18.0}}',1796082337467);
INSERT INTO "job_events" VALUES('job_01M8QDJY69CM9NXE1V2JW83Z5A',6,1,'ended','{"state": "succeeded", "reason": "completed", "detail": ""}',1796082338133);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',1,0,'created','{"name": "trained"}',1796082338277);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',2,1,'claimed','{"worker": "worker-1", "attempt": 1}',1796082338306);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',3,1,'run_started','{"device": "cpu", "threads": 1, "resumed": false}',1796082341561);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',4,1,'phase_started','{"phase": "teacher", "repeat": 0, "epochs": 2, "first_epoch": 0}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',5,1,'epoch_end','{"phase": "teacher", "repeat": 0, "epoch": 1, "epochs": 2, "metrics": {"train_loss": 1.2367269662710336, "val_loss": 1.2526423590523856, "val_accuracy": 0.2857142857142857, "lr": 0.001, "seconds": 0.0033915060012077447, "images_per_second": 19165.527048117543}}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',6,1,'epoch_end','{"phase": "teacher", "repeat": 0, "epoch": 2, "epochs": 2, "metrics": {"train_loss": 1.2251836923452524, "val_loss": 1.244377953665597, "val_accuracy": 0.2857142857142857, "lr": 0.001, "seconds": 0.0013016129996685777, "images_per_second": 49938.03843120081}}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',7,1,'phase_ended','{"phase": "teacher", "repeat": 0, "source": "trained", "metrics": {"val_accuracy": 0.2857142857142857, "val_loss": 1.244377953665597, "test_accuracy": 0.3333333333333333, "test_loss": 1.1888658139440749, "test_ece": 0.2968816210826238, "best_epoch": 2.0}}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',8,1,'checkpoint_saved','{"path": "checkpoint.safetensors", "phase": "teacher", "repeat": 0, "epoch": 2}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',9,1,'phase_started','{"phase": "baseline", "repeat": 0, "epochs": 2, "first_epoch": 0}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',10,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 1, "epochs": 2, "metrics": {"train_loss": 1.1647266149520874, "val_loss": 1.0900465420314245, "val_accuracy": 0.42857142857142855, "lr": 0.001, "seconds": 0.0066957310009456705, "images_per_second": 9558.329029490726}}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',11,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 2, "epochs": 2, "metrics": {"train_loss": 1.1279082298278809, "val_loss": 1.077373845236642, "val_accuracy": 0.42857142857142855, "lr": 0.001, "seconds": 0.0017175900011352496, "images_per_second": 37261.51174476964}}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',12,1,'phase_ended','{"phase": "baseline", "repeat": 0, "source": "trained", "metrics": {"val_accuracy": 0.42857142857142855, "val_loss": 1.077373845236642, "test_accuracy": 0.2777777777777778, "test_loss": 1.1661842862764995, "test_ece": 0.2758006883992089, "teacher_agreement": 0.05555555555555555, "teacher_kl": 0.18112735298413957, "best_epoch": 2.0}}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',13,1,'checkpoint_saved','{"path": "checkpoint.safetensors", "phase": "baseline", "repeat": 0, "epoch": 2}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',14,1,'phase_started','{"phase": "student", "repeat": 0, "epochs": 2, "first_epoch": 0}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',15,1,'epoch_end','{"phase": "student", "repeat": 0, "epoch": 1, "epochs": 2, "metrics": {"train_loss": 0.28598228096961975, "val_loss": 1.105811323438372, "val_accuracy": 0.42857142857142855, "lr": 0.001, "seconds": 0.013013591000344604, "images_per_second": 4917.935410626111}}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',16,1,'epoch_end','{"phase": "student", "repeat": 0, "epoch": 2, "epochs": 2, "metrics": {"train_loss": 0.27754540741443634, "val_loss": 1.1065707887922014, "val_accuracy": 0.42857142857142855, "lr": 0.001, "seconds": 0.0022155700007715495, "images_per_second": 28886.471642833516}}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',17,1,'phase_ended','{"phase": "student", "repeat": 0, "source": "trained", "metrics": {"val_accuracy": 0.42857142857142855, "val_loss": 1.105811323438372, "test_accuracy": 0.2777777777777778, "test_loss": 1.1949201226234436, "test_ece": 0.3111082679695553, "teacher_agreement": 0.05555555555555555, "teacher_kl": 0.1741101920940898, "best_epoch": 1.0}}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',18,1,'checkpoint_saved','{"path": "checkpoint.safetensors", "phase": "student", "repeat": 0, "epoch": 2}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',19,1,'phase_started','{"phase": "baseline", "repeat": 1, "epochs": 2, "first_epoch": 0}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',20,1,'epoch_end','{"phase": "baseline", "repeat": 1, "epoch": 1, "epochs": 2, "metrics": {"train_loss": 1.2123945355415344, "val_loss": 1.099250657217843, "val_accuracy": 0.42857142857142855, "lr": 0.001, "seconds": 0.004590856000504573, "images_per_second": 13940.755273736722}}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',21,1,'epoch_end','{"phase": "baseline", "repeat": 1, "epoch": 2, "epochs": 2, "metrics": {"train_loss": 1.188311219215393, "val_loss": 1.0869237354823522, "val_accuracy": 0.42857142857142855, "lr": 0.001, "seconds": 0.0015354900006059324, "images_per_second": 41680.505880692435}}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',22,1,'phase_ended','{"phase": "baseline", "repeat": 1, "source": "trained", "metrics": {"val_accuracy": 0.42857142857142855, "val_loss": 1.0869237354823522, "test_accuracy": 0.3333333333333333, "test_loss": 1.1622784833113353, "test_ece": 0.29110973411136204, "teacher_agreement": 0.0, "teacher_kl": 0.16308263826443262, "best_epoch": 2.0}}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',23,1,'checkpoint_saved','{"path": "checkpoint.safetensors", "phase": "baseline", "repeat": 1, "epoch": 2}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',24,1,'phase_started','{"phase": "student", "repeat": 1, "epochs": 2, "first_epoch": 0}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',25,1,'epoch_end','{"phase": "student", "repeat": 1, "epoch": 1, "epochs": 2, "metrics": {"train_loss": 0.24545210599899292, "val_loss": 1.1093237059456962, "val_accuracy": 0.42857142857142855, "lr": 0.001, "seconds": 0.007335582000450813, "images_per_second": 8724.597447900771}}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',26,1,'epoch_end','{"phase": "student", "repeat": 1, "epoch": 2, "epochs": 2, "metrics": {"train_loss": 0.22759824991226196, "val_loss": 1.1080127443586076, "val_accuracy": 0.42857142857142855, "lr": 0.001, "seconds": 0.00877988499996718, "images_per_second": 7289.389325741651}}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',27,1,'phase_ended','{"phase": "student", "repeat": 1, "source": "trained", "metrics": {"val_accuracy": 0.42857142857142855, "val_loss": 1.1080127443586076, "test_accuracy": 0.3333333333333333, "test_loss": 1.1800358924600813, "test_ece": 0.27882420354419285, "teacher_agreement": 0.1111111111111111, "teacher_kl": 0.15111095291196752, "best_epoch": 2.0}}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',28,1,'checkpoint_saved','{"path": "checkpoint.safetensors", "phase": "student", "repeat": 1, "epoch": 2}',1796082342127);
INSERT INTO "job_events" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',29,1,'ended','{"state": "succeeded", "reason": "completed", "detail": ""}',1796082350721);
INSERT INTO "job_events" VALUES('job_01M8QDKET8CGGK9PZ4SHESFAWM',1,0,'created','{"name": "sent"}',1796082350921);
INSERT INTO "job_events" VALUES('job_01M8QDKET8CGGK9PZ4SHESFAWM',2,1,'claimed','{"worker": "worker-1", "attempt": 1}',1796082350947);
INSERT INTO "job_events" VALUES('job_01M8QDKET8CGGK9PZ4SHESFAWM',3,1,'run_started','{"device": "cpu", "threads": 1, "resumed": false}',1796082354299);
INSERT INTO "job_events" VALUES('job_01M8QDKET8CGGK9PZ4SHESFAWM',4,1,'phase_started','{"phase": "register", "repeat": 0, "epochs": 0, "first_epoch": 0}',1796082356232);
INSERT INTO "job_events" VALUES('job_01M8QDKET8CGGK9PZ4SHESFAWM',5,1,'phase_ended','{"phase": "register", "repeat": 0, "source": "given", "metrics": {"test_accuracy": 0.2777777777777778, "test_loss": 1.1949201226234436, "test_ece": 0.3111082679695553}}',1796082359298);
INSERT INTO "job_events" VALUES('job_01M8QDKET8CGGK9PZ4SHESFAWM',6,1,'ended','{"state": "succeeded", "reason": "completed", "detail": ""}',1796082362005);
INSERT INTO "job_events" VALUES('job_01M8QDKSTG24P881KZYWW99R00',1,0,'created','{"name": ""}',1796082362192);
INSERT INTO "job_events" VALUES('job_01M8QDKSTG24P881KZYWW99R00',2,1,'claimed','{"worker": "worker-1", "attempt": 1}',1796082362224);
INSERT INTO "job_events" VALUES('job_01M8QDKSTG24P881KZYWW99R00',3,1,'run_started','{"device": "cpu", "threads": 1, "resumed": false}',1796082365821);
INSERT INTO "job_events" VALUES('job_01M8QDKSTG24P881KZYWW99R00',4,1,'phase_started','{"phase": "evaluate", "repeat": 0, "epochs": 0, "first_epoch": 0}',1796082367264);
INSERT INTO "job_events" VALUES('job_01M8QDKSTG24P881KZYWW99R00',5,1,'phase_ended','{"phase": "evaluate", "repeat": 0, "source": "given", "metrics": {"test_accuracy": 0.2777777777777778, "test_loss": 1.1949201226234436, "test_ece": 0.3111082679695553}}',1796082370520);
INSERT INTO "job_events" VALUES('job_01M8QDKSTG24P881KZYWW99R00',6,1,'ended','{"state": "succeeded", "reason": "completed", "detail": ""}',1796082372937);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',1,0,'created','{"name": "paused"}',1796082373104);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',2,1,'claimed','{"worker": "worker-1", "attempt": 1}',1796082373136);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',3,1,'run_started','{"device": "cpu", "threads": 1, "resumed": false}',1796082376594);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',4,1,'phase_started','{"phase": "teacher", "repeat": 0, "epochs": 0, "first_epoch": 0}',1796082376594);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',5,1,'phase_ended','{"phase": "teacher", "repeat": 0, "source": "cache", "metrics": {"val_accuracy": 0.2857142857142857, "val_loss": 1.244377953665597, "test_accuracy": 0.3333333333333333, "test_loss": 1.1888658139440749, "test_ece": 0.2968816210826238, "best_epoch": 2.0}}',1796082376594);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',6,1,'checkpoint_saved','{"path": "checkpoint.safetensors", "phase": "teacher", "repeat": 0, "epoch": 2}',1796082377147);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',7,1,'phase_started','{"phase": "baseline", "repeat": 0, "epochs": 24, "first_epoch": 0}',1796082377147);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',8,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 1, "epochs": 24, "metrics": {"train_loss": 1.0834346459462092, "val_loss": 0.9506234441484723, "val_accuracy": 0.42857142857142855, "lr": 0.001, "seconds": 0.08479169000020192, "images_per_second": 766.5845556309257}}',1796082377147);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',9,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 2, "epochs": 24, "metrics": {"train_loss": 0.842597693663377, "val_loss": 0.770468030657087, "val_accuracy": 0.7142857142857143, "lr": 0.001, "seconds": 0.09448017399881792, "images_per_second": 687.9750242713698}}',1796082377147);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',10,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 3, "epochs": 24, "metrics": {"train_loss": 0.6710858303766984, "val_loss": 0.5929837908063617, "val_accuracy": 0.8571428571428571, "lr": 0.001, "seconds": 0.09129764899989823, "images_per_second": 711.9569968343046}}',1796082377147);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',11,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 4, "epochs": 24, "metrics": {"train_loss": 0.49807241627803217, "val_loss": 0.43403332574026926, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.09374733500044385, "images_per_second": 693.3530430458877}}',1796082377147);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',12,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 5, "epochs": 24, "metrics": {"train_loss": 0.35805556980463177, "val_loss": 0.3273508208138602, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.086921991998679, "images_per_second": 747.7969441955246}}',1796082377147);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',13,1,'checkpoint_saved','{"path": "checkpoint.safetensors", "phase": "baseline", "repeat": 0, "epoch": 5}',1796082377696);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',14,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 6, "epochs": 24, "metrics": {"train_loss": 0.23289034730539873, "val_loss": 0.24405108179364884, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.13262269299957552, "images_per_second": 490.11220123699377}}',1796082377696);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',15,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 7, "epochs": 24, "metrics": {"train_loss": 0.18071301510700813, "val_loss": 0.18820956775120326, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.0849708660007309, "images_per_second": 764.9680774048}}',1796082377696);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',16,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 8, "epochs": 24, "metrics": {"train_loss": 0.1852360494291553, "val_loss": 0.14971729687282018, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.09328837499924703, "images_per_second": 696.7642002610148}}',1796082377696);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',17,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 9, "epochs": 24, "metrics": {"train_loss": 0.14364436875598935, "val_loss": 0.12148216792515346, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.10257681500115723, "images_per_second": 633.671458791801}}',1796082377696);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',18,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 10, "epochs": 24, "metrics": {"train_loss": 0.08855525897815823, "val_loss": 0.09959496770586286, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.09392139400006272, "images_per_second": 692.0680926004633}}',1796082377696);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',19,1,'checkpoint_saved','{"path": "checkpoint.safetensors", "phase": "baseline", "repeat": 0, "epoch": 10}',1796082377696);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',20,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 11, "epochs": 24, "metrics": {"train_loss": 0.12447978823374097, "val_loss": 0.08521160057612828, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.11318063799990341, "images_per_second": 574.3031771923345}}',1796082378283);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',21,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 12, "epochs": 24, "metrics": {"train_loss": 0.12806535769039049, "val_loss": 0.07484485421861921, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.08945936900090601, "images_per_second": 726.5868374204797}}',1796082378283);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',22,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 13, "epochs": 24, "metrics": {"train_loss": 0.04864703209963269, "val_loss": 0.06525378567831856, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.08764782999969611, "images_per_second": 741.6042131359711}}',1796082378283);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',23,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 14, "epochs": 24, "metrics": {"train_loss": 0.10454478628503588, "val_loss": 0.057980473552431376, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.10564612199959811, "images_per_second": 615.2615805457324}}',1796082378283);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',24,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 15, "epochs": 24, "metrics": {"train_loss": 0.2231399373921494, "val_loss": 0.052513143845966885, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.08080856500055233, "images_per_second": 804.3701803089278}}',1796082378283);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',25,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 16, "epochs": 24, "metrics": {"train_loss": 0.1382355801922341, "val_loss": 0.046538472175598145, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.09392273599951295, "images_per_second": 692.0582041001985}}',1796082378283);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',26,1,'checkpoint_saved','{"path": "checkpoint.safetensors", "phase": "baseline", "repeat": 0, "epoch": 16}',1796082378283);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',27,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 17, "epochs": 24, "metrics": {"train_loss": 0.09549103403069939, "val_loss": 0.042441687413624356, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.1166425880001043, "images_per_second": 557.2578687978175}}',1796082378835);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',28,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 18, "epochs": 24, "metrics": {"train_loss": 0.11893834865544564, "val_loss": 0.038790106773376465, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.09860843299975386, "images_per_second": 659.1728315991214}}',1796082378835);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',29,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 19, "epochs": 24, "metrics": {"train_loss": 0.1540828734304971, "val_loss": 0.03552119433879852, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.10199192700019921, "images_per_second": 637.305342802995}}',1796082378835);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',30,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 20, "epochs": 24, "metrics": {"train_loss": 0.06212815502345061, "val_loss": 0.03278029603617532, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.09683714299899293, "images_per_second": 671.2300465191954}}',1796082378835);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',31,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 21, "epochs": 24, "metrics": {"train_loss": 0.08188728969588947, "val_loss": 0.03010733425617218, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.10025639000014053, "images_per_second": 648.3377269010872}}',1796082378835);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',32,1,'checkpoint_saved','{"path": "checkpoint.safetensors", "phase": "baseline", "repeat": 0, "epoch": 21}',1796082378835);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',33,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 22, "epochs": 24, "metrics": {"train_loss": 0.14847414686810226, "val_loss": 0.027214469654219493, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.12492381300035049, "images_per_second": 520.3171312087443}}',1796082378835);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',34,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 23, "epochs": 24, "metrics": {"train_loss": 0.04191633551247203, "val_loss": 0.025361725262233188, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.09180485199976829, "images_per_second": 708.0235802805287}}',1796082379404);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',35,1,'epoch_end','{"phase": "baseline", "repeat": 0, "epoch": 24, "epochs": 24, "metrics": {"train_loss": 0.05890435658981844, "val_loss": 0.023696358714784895, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.11259718200017232, "images_per_second": 577.2791009982872}}',1796082379404);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',36,1,'phase_ended','{"phase": "baseline", "repeat": 0, "source": "trained", "metrics": {"val_accuracy": 1.0, "val_loss": 0.023696358714784895, "test_accuracy": 1.0, "test_loss": 0.005279721016348857, "test_ece": 0.005255255434248183, "teacher_agreement": 0.3333333333333333, "teacher_kl": 3.6335689360242722, "best_epoch": 24.0}}',1796082379404);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',37,1,'checkpoint_saved','{"path": "checkpoint.safetensors", "phase": "baseline", "repeat": 0, "epoch": 24}',1796082379404);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',38,1,'phase_started','{"phase": "student", "repeat": 0, "epochs": 24, "first_epoch": 0}',1796082379404);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',39,1,'epoch_end','{"phase": "student", "repeat": 0, "epoch": 1, "epochs": 24, "metrics": {"train_loss": 0.25324409340436643, "val_loss": 1.1303096498761858, "val_accuracy": 0.2857142857142857, "lr": 0.001, "seconds": 0.13872705600078916, "images_per_second": 468.5459482368763}}',1796082379404);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',40,1,'epoch_end','{"phase": "student", "repeat": 0, "epoch": 2, "epochs": 24, "metrics": {"train_loss": 0.19523841119729557, "val_loss": 1.1564982278006417, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.11811893999947642, "images_per_second": 550.2927811601435}}',1796082379404);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',41,1,'epoch_end','{"phase": "student", "repeat": 0, "epoch": 3, "epochs": 24, "metrics": {"train_loss": 0.17163365208185635, "val_loss": 1.1743078231811523, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.11522400199828553, "images_per_second": 564.1185766223184}}',1796082379972);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',42,1,'checkpoint_saved','{"path": "checkpoint.safetensors", "phase": "student", "repeat": 0, "epoch": 3}',1796082379972);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',43,1,'epoch_end','{"phase": "student", "repeat": 0, "epoch": 4, "epochs": 24, "metrics": {"train_loss": 0.16018577940188922, "val_loss": 1.1620584215436662, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.1878299700001662, "images_per_second": 346.0576605530123}}',1796082379972);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',44,1,'epoch_end','{"phase": "student", "repeat": 0, "epoch": 5, "epochs": 24, "metrics": {"train_loss": 0.15238242699549748, "val_loss": 1.150002888270787, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.11473064999881899, "images_per_second": 566.5443366761114}}',1796082379972);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',45,1,'epoch_end','{"phase": "student", "repeat": 0, "epoch": 6, "epochs": 24, "metrics": {"train_loss": 0.1453564303425642, "val_loss": 1.1336773463657923, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.1099828599999455, "images_per_second": 591.0011796386474}}',1796082379972);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',46,1,'pause_requested','{}',1796082380103);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',47,1,'epoch_end','{"phase": "student", "repeat": 0, "epoch": 7, "epochs": 24, "metrics": {"train_loss": 0.13371287068495383, "val_loss": 1.1215376172746931, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.10651689400037867, "images_per_second": 610.231837963365}}',1796082380568);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',48,1,'epoch_end','{"phase": "student", "repeat": 0, "epoch": 8, "epochs": 24, "metrics": {"train_loss": 0.12943364244240982, "val_loss": 1.1205809456961495, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.045745908999379026, "images_per_second": 1420.8920845989164}}',1796082380568);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',49,1,'epoch_end','{"phase": "student", "repeat": 0, "epoch": 9, "epochs": 24, "metrics": {"train_loss": 0.12318481986339276, "val_loss": 1.1190220287867956, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.04520751899872266, "images_per_second": 1437.8139176767602}}',1796082380568);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',50,1,'checkpoint_saved','{"path": "checkpoint.safetensors", "phase": "student", "repeat": 0, "epoch": 9}',1796082380568);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',51,1,'epoch_end','{"phase": "student", "repeat": 0, "epoch": 10, "epochs": 24, "metrics": {"train_loss": 0.12407751679420471, "val_loss": 1.1147435733250208, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.11906047800039232, "images_per_second": 545.9410300686498}}',1796082380568);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',52,1,'epoch_end','{"phase": "student", "repeat": 0, "epoch": 11, "epochs": 24, "metrics": {"train_loss": 0.12428236592274446, "val_loss": 1.11446898324149, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.08134339000025648, "images_per_second": 799.0815234009186}}',1796082380568);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',53,1,'epoch_end','{"phase": "student", "repeat": 0, "epoch": 12, "epochs": 24, "metrics": {"train_loss": 0.1208466235261697, "val_loss": 1.1211738586425781, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.11541432000012719, "images_per_second": 563.1883461248862}}',1796082380568);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',54,1,'epoch_end','{"phase": "student", "repeat": 0, "epoch": 13, "epochs": 24, "metrics": {"train_loss": 0.11736559031101373, "val_loss": 1.1138130596705846, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.12253230299938878, "images_per_second": 530.4723604217595}}',1796082381116);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',55,1,'epoch_end','{"phase": "student", "repeat": 0, "epoch": 14, "epochs": 24, "metrics": {"train_loss": 0.12211761050499402, "val_loss": 1.1152122361319405, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.11053010300020105, "images_per_second": 588.0750875612752}}',1796082381116);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',56,1,'checkpoint_saved','{"path": "checkpoint.safetensors", "phase": "student", "repeat": 0, "epoch": 14}',1796082381116);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',57,1,'epoch_end','{"phase": "student", "repeat": 0, "epoch": 15, "epochs": 24, "metrics": {"train_loss": 0.12444017907747855, "val_loss": 1.1163206781659807, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.12997663500027556, "images_per_second": 500.0898815380333}}',1796082381116);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',58,1,'epoch_end','{"phase": "student", "repeat": 0, "epoch": 16, "epochs": 24, "metrics": {"train_loss": 0.11986476561197867, "val_loss": 1.1180404254368372, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.10493638800107874, "images_per_second": 619.422883121647}}',1796082381116);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',59,1,'epoch_end','{"phase": "student", "repeat": 0, "epoch": 17, "epochs": 24, "metrics": {"train_loss": 0.11793783673873315, "val_loss": 1.108576774597168, "val_accuracy": 0.2857142857142857, "lr": 0.001, "seconds": 0.14257221499974548, "images_per_second": 455.90930883774257}}',1796082381116);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',60,1,'epoch_end','{"phase": "student", "repeat": 0, "epoch": 18, "epochs": 24, "metrics": {"train_loss": 0.11900455951690674, "val_loss": 1.1078951699393136, "val_accuracy": 0.2857142857142857, "lr": 0.001, "seconds": 0.15157713500047976, "images_per_second": 428.8245717257703}}',1796082381711);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',61,1,'checkpoint_saved','{"path": "checkpoint.safetensors", "phase": "student", "repeat": 0, "epoch": 18}',1796082381711);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',62,1,'checkpoint_saved','{"path": "checkpoint.safetensors", "phase": "student", "repeat": 0, "epoch": 18}',1796082381711);
INSERT INTO "job_events" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',63,1,'paused','{"why": "worker ''worker-1'': stopped as asked"}',1796082382662);
CREATE TABLE job_labels (
	job_id VARCHAR(40) NOT NULL, 
	"key" VARCHAR(63) NOT NULL, 
	value VARCHAR(200) NOT NULL, 
	CONSTRAINT job_labels_pk PRIMARY KEY (job_id, "key"), 
	CONSTRAINT job_labels_job_id_fk FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
CREATE TABLE job_logs (
	job_id VARCHAR(40) NOT NULL, 
	seq BIGINT NOT NULL, 
	attempt INTEGER NOT NULL, 
	line TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	CONSTRAINT job_logs_pk PRIMARY KEY (job_id, seq), 
	CONSTRAINT job_logs_job_id_fk FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
INSERT INTO "job_logs" VALUES('job_01M8QDJY69CM9NXE1V2JW83Z5A',1,1,'2026-11-30 23:45:36,898 INFO trainer: starting, on cpu with 1 threads',1796082337471);
INSERT INTO "job_logs" VALUES('job_01M8QDJY69CM9NXE1V2JW83Z5A',2,1,'2026-11-30 23:45:36,947 INFO trainer: check 0: 0 epochs, 0 of them done',1796082337471);
INSERT INTO "job_logs" VALUES('job_01M8QDJY69CM9NXE1V2JW83Z5A',3,1,'2026-11-30 23:45:37,058 INFO trainer: check 0: done (given): train_images 72, test_images 18',1796082337471);
INSERT INTO "job_logs" VALUES('job_01M8QDJY69CM9NXE1V2JW83Z5A',4,1,'2026-11-30 23:45:37,059 INFO trainer: completed',1796082337471);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',1,1,'2026-11-30 23:45:41,518 INFO trainer: starting, on cpu with 1 threads',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',2,1,'2026-11-30 23:45:41,589 INFO kd_engine.data.dataset: measuring the mean and the standard deviation of 65 images',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',3,1,'2026-11-30 23:45:41,613 INFO trainer: teacher 0: 2 epochs, 0 of them done',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',4,1,'2026-11-30 23:45:41,630 INFO trainer: teacher 0: epoch 1 of 2: train_loss 1.237, val_loss 1.253, val_accuracy 0.2857, lr 0.001, seconds 0.003392, images_per_second 1.917e+04',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',5,1,'2026-11-30 23:45:41,632 INFO trainer: teacher 0: epoch 2 of 2: train_loss 1.225, val_loss 1.244, val_accuracy 0.2857, lr 0.001, seconds 0.001302, images_per_second 4.994e+04',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',6,1,'2026-11-30 23:45:41,659 INFO trainer: teacher 0: done (trained): val_accuracy 0.2857, val_loss 1.244, test_accuracy 0.3333, test_loss 1.189, test_ece 0.2969, best_epoch 2',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',7,1,'2026-11-30 23:45:41,674 INFO trainer: teacher 0: a checkpoint in epoch 2',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',8,1,'2026-11-30 23:45:41,676 INFO trainer: baseline 0: 2 epochs, 0 of them done',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',9,1,'2026-11-30 23:45:41,683 INFO trainer: baseline 0: epoch 1 of 2: train_loss 1.165, val_loss 1.09, val_accuracy 0.4286, lr 0.001, seconds 0.006696, images_per_second 9558',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',10,1,'2026-11-30 23:45:41,685 INFO trainer: baseline 0: epoch 2 of 2: train_loss 1.128, val_loss 1.077, val_accuracy 0.4286, lr 0.001, seconds 0.001718, images_per_second 3.726e+04',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',11,1,'2026-11-30 23:45:41,710 INFO trainer: baseline 0: done (trained): val_accuracy 0.4286, val_loss 1.077, test_accuracy 0.2778, test_loss 1.166, test_ece 0.2758, teacher_agreement 0.05556, teacher_kl 0.1811, best_epoch 2',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',12,1,'2026-11-30 23:45:41,727 INFO trainer: baseline 0: a checkpoint in epoch 2',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',13,1,'2026-11-30 23:45:41,757 INFO trainer: student 0: 2 epochs, 0 of them done',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',14,1,'2026-11-30 23:45:41,771 INFO trainer: student 0: epoch 1 of 2: train_loss 0.286, val_loss 1.106, val_accuracy 0.4286, lr 0.001, seconds 0.01301, images_per_second 4918',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',15,1,'2026-11-30 23:45:41,773 INFO trainer: student 0: epoch 2 of 2: train_loss 0.2775, val_loss 1.107, val_accuracy 0.4286, lr 0.001, seconds 0.002216, images_per_second 2.889e+04',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',16,1,'2026-11-30 23:45:41,798 INFO trainer: student 0: done (trained): val_accuracy 0.4286, val_loss 1.106, test_accuracy 0.2778, test_loss 1.195, test_ece 0.3111, teacher_agreement 0.05556, teacher_kl 0.1741, best_epoch 1',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',17,1,'2026-11-30 23:45:41,814 INFO trainer: student 0: a checkpoint in epoch 2',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',18,1,'2026-11-30 23:45:41,815 INFO trainer: baseline 1: 2 epochs, 0 of them done',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',19,1,'2026-11-30 23:45:41,820 INFO trainer: baseline 1: epoch 1 of 2: train_loss 1.212, val_loss 1.099, val_accuracy 0.4286, lr 0.001, seconds 0.004591, images_per_second 1.394e+04',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',20,1,'2026-11-30 23:45:41,829 INFO trainer: baseline 1: epoch 2 of 2: train_loss 1.188, val_loss 1.087, val_accuracy 0.4286, lr 0.001, seconds 0.001535, images_per_second 4.168e+04',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',21,1,'2026-11-30 23:45:41,850 INFO trainer: baseline 1: done (trained): val_accuracy 0.4286, val_loss 1.087, test_accuracy 0.3333, test_loss 1.162, test_ece 0.2911, teacher_agreement 0, teacher_kl 0.1631, best_epoch 2',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',22,1,'2026-11-30 23:45:41,864 INFO trainer: baseline 1: a checkpoint in epoch 2',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',23,1,'2026-11-30 23:45:41,881 INFO trainer: student 1: 2 epochs, 0 of them done',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',24,1,'2026-11-30 23:45:41,889 INFO trainer: student 1: epoch 1 of 2: train_loss 0.2455, val_loss 1.109, val_accuracy 0.4286, lr 0.001, seconds 0.007336, images_per_second 8725',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',25,1,'2026-11-30 23:45:41,902 INFO trainer: student 1: epoch 2 of 2: train_loss 0.2276, val_loss 1.108, val_accuracy 0.4286, lr 0.001, seconds 0.00878, images_per_second 7289',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',26,1,'2026-11-30 23:45:41,929 INFO trainer: student 1: done (trained): val_accuracy 0.4286, val_loss 1.108, test_accuracy 0.3333, test_loss 1.18, test_ece 0.2788, teacher_agreement 0.1111, teacher_kl 0.1511, best_epoch 2',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',27,1,'2026-11-30 23:45:41,942 INFO trainer: student 1: a checkpoint in epoch 2',1796082342641);
INSERT INTO "job_logs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62',28,1,'2026-11-30 23:45:47,734 INFO trainer: completed',1796082347748);
INSERT INTO "job_logs" VALUES('job_01M8QDKET8CGGK9PZ4SHESFAWM',1,1,'2026-11-30 23:45:54,204 INFO trainer: starting, on cpu with 1 threads',1796082355004);
INSERT INTO "job_logs" VALUES('job_01M8QDKET8CGGK9PZ4SHESFAWM',2,1,'2026-11-30 23:45:54,261 INFO kd_engine.data.dataset: measuring the mean and the standard deviation of 65 images',1796082355004);
INSERT INTO "job_logs" VALUES('job_01M8QDKET8CGGK9PZ4SHESFAWM',3,1,'2026-11-30 23:45:56,169 INFO trainer: register 0: 0 epochs, 0 of them done',1796082357356);
INSERT INTO "job_logs" VALUES('job_01M8QDKET8CGGK9PZ4SHESFAWM',4,1,'2026-11-30 23:45:59,264 INFO trainer: register 0: done (given): test_accuracy 0.2778, test_loss 1.195, test_ece 0.3111',1796082359809);
INSERT INTO "job_logs" VALUES('job_01M8QDKET8CGGK9PZ4SHESFAWM',5,1,'2026-11-30 23:45:59,470 INFO trainer: completed',1796082359809);
INSERT INTO "job_logs" VALUES('job_01M8QDKSTG24P881KZYWW99R00',1,1,'2026-11-30 23:46:05,788 INFO trainer: starting, on cpu with 1 threads',1796082366336);
INSERT INTO "job_logs" VALUES('job_01M8QDKSTG24P881KZYWW99R00',2,1,'2026-11-30 23:46:05,848 INFO kd_engine.data.dataset: measuring the mean and the standard deviation of 65 images',1796082366336);
INSERT INTO "job_logs" VALUES('job_01M8QDKSTG24P881KZYWW99R00',3,1,'2026-11-30 23:46:07,250 INFO trainer: evaluate 0: 0 epochs, 0 of them done',1796082367780);
INSERT INTO "job_logs" VALUES('job_01M8QDKSTG24P881KZYWW99R00',4,1,'2026-11-30 23:46:10,439 INFO trainer: evaluate 0: done (given): test_accuracy 0.2778, test_loss 1.195, test_ece 0.3111',1796082371044);
INSERT INTO "job_logs" VALUES('job_01M8QDKSTG24P881KZYWW99R00',5,1,'2026-11-30 23:46:10,670 INFO trainer: completed',1796082371044);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',1,1,'2026-11-30 23:46:16,520 INFO trainer: starting, on cpu with 1 threads',1796082377710);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',2,1,'2026-11-30 23:46:16,563 INFO kd_engine.data.dataset: measuring the mean and the standard deviation of 65 images',1796082377710);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',3,1,'2026-11-30 23:46:16,586 INFO trainer: teacher 0: 0 epochs, 0 of them done',1796082377710);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',4,1,'2026-11-30 23:46:16,591 INFO trainer: teacher 0: done (cache): val_accuracy 0.2857, val_loss 1.244, test_accuracy 0.3333, test_loss 1.189, test_ece 0.2969, best_epoch 2',1796082377710);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',5,1,'2026-11-30 23:46:16,602 INFO trainer: teacher 0: a checkpoint in epoch 2',1796082377710);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',6,1,'2026-11-30 23:46:16,604 INFO trainer: baseline 0: 24 epochs, 0 of them done',1796082377710);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',7,1,'2026-11-30 23:46:16,690 INFO trainer: baseline 0: epoch 1 of 24: train_loss 1.083, val_loss 0.9506, val_accuracy 0.4286, lr 0.001, seconds 0.08479, images_per_second 766.6',1796082377710);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',8,1,'2026-11-30 23:46:16,785 INFO trainer: baseline 0: epoch 2 of 24: train_loss 0.8426, val_loss 0.7705, val_accuracy 0.7143, lr 0.001, seconds 0.09448, images_per_second 688',1796082377710);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',9,1,'2026-11-30 23:46:16,877 INFO trainer: baseline 0: epoch 3 of 24: train_loss 0.6711, val_loss 0.593, val_accuracy 0.8571, lr 0.001, seconds 0.0913, images_per_second 712',1796082377710);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',10,1,'2026-11-30 23:46:16,971 INFO trainer: baseline 0: epoch 4 of 24: train_loss 0.4981, val_loss 0.434, val_accuracy 1, lr 0.001, seconds 0.09375, images_per_second 693.4',1796082377710);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',11,1,'2026-11-30 23:46:17,059 INFO trainer: baseline 0: epoch 5 of 24: train_loss 0.3581, val_loss 0.3274, val_accuracy 1, lr 0.001, seconds 0.08692, images_per_second 747.8',1796082377710);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',12,1,'2026-11-30 23:46:17,130 INFO trainer: baseline 0: a checkpoint in epoch 5',1796082377710);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',13,1,'2026-11-30 23:46:17,192 INFO trainer: baseline 0: epoch 6 of 24: train_loss 0.2329, val_loss 0.2441, val_accuracy 1, lr 0.001, seconds 0.1326, images_per_second 490.1',1796082377710);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',14,1,'2026-11-30 23:46:17,278 INFO trainer: baseline 0: epoch 7 of 24: train_loss 0.1807, val_loss 0.1882, val_accuracy 1, lr 0.001, seconds 0.08497, images_per_second 765',1796082377710);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',15,1,'2026-11-30 23:46:17,372 INFO trainer: baseline 0: epoch 8 of 24: train_loss 0.1852, val_loss 0.1497, val_accuracy 1, lr 0.001, seconds 0.09329, images_per_second 696.8',1796082377710);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',16,1,'2026-11-30 23:46:17,475 INFO trainer: baseline 0: epoch 9 of 24: train_loss 0.1436, val_loss 0.1215, val_accuracy 1, lr 0.001, seconds 0.1026, images_per_second 633.7',1796082377710);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',17,1,'2026-11-30 23:46:17,569 INFO trainer: baseline 0: epoch 10 of 24: train_loss 0.08856, val_loss 0.09959, val_accuracy 1, lr 0.001, seconds 0.09392, images_per_second 692.1',1796082377710);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',18,1,'2026-11-30 23:46:17,650 INFO trainer: baseline 0: a checkpoint in epoch 10',1796082377710);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',19,1,'2026-11-30 23:46:17,683 INFO trainer: baseline 0: epoch 11 of 24: train_loss 0.1245, val_loss 0.08521, val_accuracy 1, lr 0.001, seconds 0.1132, images_per_second 574.3',1796082377710);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',20,1,'2026-11-30 23:46:17,773 INFO trainer: baseline 0: epoch 12 of 24: train_loss 0.1281, val_loss 0.07484, val_accuracy 1, lr 0.001, seconds 0.08946, images_per_second 726.6',1796082378855);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',21,1,'2026-11-30 23:46:17,862 INFO trainer: baseline 0: epoch 13 of 24: train_loss 0.04865, val_loss 0.06525, val_accuracy 1, lr 0.001, seconds 0.08765, images_per_second 741.6',1796082378855);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',22,1,'2026-11-30 23:46:17,968 INFO trainer: baseline 0: epoch 14 of 24: train_loss 0.1045, val_loss 0.05798, val_accuracy 1, lr 0.001, seconds 0.1056, images_per_second 615.3',1796082378855);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',23,1,'2026-11-30 23:46:18,049 INFO trainer: baseline 0: epoch 15 of 24: train_loss 0.2231, val_loss 0.05251, val_accuracy 1, lr 0.001, seconds 0.08081, images_per_second 804.4',1796082378855);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',24,1,'2026-11-30 23:46:18,144 INFO trainer: baseline 0: epoch 16 of 24: train_loss 0.1382, val_loss 0.04654, val_accuracy 1, lr 0.001, seconds 0.09392, images_per_second 692.1',1796082378855);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',25,1,'2026-11-30 23:46:18,170 INFO trainer: baseline 0: a checkpoint in epoch 16',1796082378855);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',26,1,'2026-11-30 23:46:18,261 INFO trainer: baseline 0: epoch 17 of 24: train_loss 0.09549, val_loss 0.04244, val_accuracy 1, lr 0.001, seconds 0.1166, images_per_second 557.3',1796082378855);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',27,1,'2026-11-30 23:46:18,360 INFO trainer: baseline 0: epoch 18 of 24: train_loss 0.1189, val_loss 0.03879, val_accuracy 1, lr 0.001, seconds 0.09861, images_per_second 659.2',1796082378855);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',28,1,'2026-11-30 23:46:18,463 INFO trainer: baseline 0: epoch 19 of 24: train_loss 0.1541, val_loss 0.03552, val_accuracy 1, lr 0.001, seconds 0.102, images_per_second 637.3',1796082378855);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',29,1,'2026-11-30 23:46:18,560 INFO trainer: baseline 0: epoch 20 of 24: train_loss 0.06213, val_loss 0.03278, val_accuracy 1, lr 0.001, seconds 0.09684, images_per_second 671.2',1796082378855);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',30,1,'2026-11-30 23:46:18,661 INFO trainer: baseline 0: epoch 21 of 24: train_loss 0.08189, val_loss 0.03011, val_accuracy 1, lr 0.001, seconds 0.1003, images_per_second 648.3',1796082378855);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',31,1,'2026-11-30 23:46:18,689 INFO trainer: baseline 0: a checkpoint in epoch 21',1796082378855);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',32,1,'2026-11-30 23:46:18,787 INFO trainer: baseline 0: epoch 22 of 24: train_loss 0.1485, val_loss 0.02721, val_accuracy 1, lr 0.001, seconds 0.1249, images_per_second 520.3',1796082378855);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',33,1,'2026-11-30 23:46:18,879 INFO trainer: baseline 0: epoch 23 of 24: train_loss 0.04192, val_loss 0.02536, val_accuracy 1, lr 0.001, seconds 0.0918, images_per_second 708',1796082380004);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',34,1,'2026-11-30 23:46:18,992 INFO trainer: baseline 0: epoch 24 of 24: train_loss 0.0589, val_loss 0.0237, val_accuracy 1, lr 0.001, seconds 0.1126, images_per_second 577.3',1796082380004);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',35,1,'2026-11-30 23:46:19,038 INFO trainer: baseline 0: done (trained): val_accuracy 1, val_loss 0.0237, test_accuracy 1, test_loss 0.00528, test_ece 0.005255, teacher_agreement 0.3333, teacher_kl 3.634, best_epoch 24',1796082380004);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',36,1,'2026-11-30 23:46:19,066 INFO trainer: baseline 0: a checkpoint in epoch 24',1796082380004);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',37,1,'2026-11-30 23:46:19,089 INFO trainer: student 0: 24 epochs, 0 of them done',1796082380004);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',38,1,'2026-11-30 23:46:19,228 INFO trainer: student 0: epoch 1 of 24: train_loss 0.2532, val_loss 1.13, val_accuracy 0.2857, lr 0.001, seconds 0.1387, images_per_second 468.5',1796082380004);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',39,1,'2026-11-30 23:46:19,347 INFO trainer: student 0: epoch 2 of 24: train_loss 0.1952, val_loss 1.156, val_accuracy 0.1429, lr 0.001, seconds 0.1181, images_per_second 550.3',1796082380004);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',40,1,'2026-11-30 23:46:19,471 INFO trainer: student 0: epoch 3 of 24: train_loss 0.1716, val_loss 1.174, val_accuracy 0.1429, lr 0.001, seconds 0.1152, images_per_second 564.1',1796082380004);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',41,1,'2026-11-30 23:46:19,638 INFO trainer: student 0: a checkpoint in epoch 3',1796082380004);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',42,1,'2026-11-30 23:46:19,659 INFO trainer: student 0: epoch 4 of 24: train_loss 0.1602, val_loss 1.162, val_accuracy 0.1429, lr 0.001, seconds 0.1878, images_per_second 346.1',1796082380004);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',43,1,'2026-11-30 23:46:19,781 INFO trainer: student 0: epoch 5 of 24: train_loss 0.1524, val_loss 1.15, val_accuracy 0.1429, lr 0.001, seconds 0.1147, images_per_second 566.5',1796082380004);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',44,1,'2026-11-30 23:46:19,891 INFO trainer: student 0: epoch 6 of 24: train_loss 0.1454, val_loss 1.134, val_accuracy 0.1429, lr 0.001, seconds 0.11, images_per_second 591',1796082380004);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',45,1,'2026-11-30 23:46:19,998 INFO trainer: student 0: epoch 7 of 24: train_loss 0.1337, val_loss 1.122, val_accuracy 0.1429, lr 0.001, seconds 0.1065, images_per_second 610.2',1796082380004);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',46,1,'2026-11-30 23:46:20,045 INFO trainer: student 0: epoch 8 of 24: train_loss 0.1294, val_loss 1.121, val_accuracy 0.1429, lr 0.001, seconds 0.04575, images_per_second 1421',1796082381156);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',47,1,'2026-11-30 23:46:20,090 INFO trainer: student 0: epoch 9 of 24: train_loss 0.1232, val_loss 1.119, val_accuracy 0.1429, lr 0.001, seconds 0.04521, images_per_second 1438',1796082381156);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',48,1,'2026-11-30 23:46:20,186 INFO trainer: student 0: a checkpoint in epoch 9',1796082381156);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',49,1,'2026-11-30 23:46:20,210 INFO trainer: student 0: epoch 10 of 24: train_loss 0.1241, val_loss 1.115, val_accuracy 0.1429, lr 0.001, seconds 0.1191, images_per_second 545.9',1796082381156);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',50,1,'2026-11-30 23:46:20,296 INFO trainer: student 0: epoch 11 of 24: train_loss 0.1243, val_loss 1.114, val_accuracy 0.1429, lr 0.001, seconds 0.08134, images_per_second 799.1',1796082381156);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',51,1,'2026-11-30 23:46:20,412 INFO trainer: student 0: epoch 12 of 24: train_loss 0.1208, val_loss 1.121, val_accuracy 0.1429, lr 0.001, seconds 0.1154, images_per_second 563.2',1796082381156);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',52,1,'2026-11-30 23:46:20,535 INFO trainer: student 0: epoch 13 of 24: train_loss 0.1174, val_loss 1.114, val_accuracy 0.1429, lr 0.001, seconds 0.1225, images_per_second 530.5',1796082381156);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',53,1,'2026-11-30 23:46:20,654 INFO trainer: student 0: epoch 14 of 24: train_loss 0.1221, val_loss 1.115, val_accuracy 0.1429, lr 0.001, seconds 0.1105, images_per_second 588.1',1796082381156);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',54,1,'2026-11-30 23:46:20,722 INFO trainer: student 0: a checkpoint in epoch 14',1796082381156);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',55,1,'2026-11-30 23:46:20,785 INFO trainer: student 0: epoch 15 of 24: train_loss 0.1244, val_loss 1.116, val_accuracy 0.1429, lr 0.001, seconds 0.13, images_per_second 500.1',1796082381156);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',56,1,'2026-11-30 23:46:20,895 INFO trainer: student 0: epoch 16 of 24: train_loss 0.1199, val_loss 1.118, val_accuracy 0.1429, lr 0.001, seconds 0.1049, images_per_second 619.4',1796082381156);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',57,1,'2026-11-30 23:46:21,038 INFO trainer: student 0: epoch 17 of 24: train_loss 0.1179, val_loss 1.109, val_accuracy 0.2857, lr 0.001, seconds 0.1426, images_per_second 455.9',1796082381156);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',58,1,'2026-11-30 23:46:21,190 INFO trainer: student 0: epoch 18 of 24: train_loss 0.119, val_loss 1.108, val_accuracy 0.2857, lr 0.001, seconds 0.1516, images_per_second 428.8',1796082382240);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',59,1,'2026-11-30 23:46:21,290 INFO trainer: student 0: a checkpoint in epoch 18',1796082382240);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',60,1,'2026-11-30 23:46:21,334 INFO trainer: student 0: a checkpoint in epoch 18',1796082382240);
INSERT INTO "job_logs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R',61,1,'2026-11-30 23:46:21,335 INFO trainer: interrupted: stopped as asked, after step 16 of epoch 19.',1796082382240);
CREATE TABLE jobs (
	id VARCHAR(40) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	spec JSON NOT NULL, 
	dataset VARCHAR(200) NOT NULL, 
	student VARCHAR(200) NOT NULL, 
	device VARCHAR(16) NOT NULL, 
	version BIGINT NOT NULL, 
	last_event BIGINT NOT NULL, 
	attempt INTEGER NOT NULL, 
	lost_attempts INTEGER NOT NULL, 
	token BIGINT NOT NULL, 
	worker VARCHAR(200), 
	lease_expires BIGINT, 
	cancel_requested BOOLEAN NOT NULL, 
	pause_requested BOOLEAN NOT NULL, 
	progress JSON, 
	metrics JSON, 
	end_reason VARCHAR(32), 
	end_detail TEXT, 
	created_at BIGINT NOT NULL, 
	queued_at BIGINT NOT NULL, 
	started_at BIGINT, 
	finished_at BIGINT, owner VARCHAR(100) DEFAULT 'local' NOT NULL, rank INTEGER DEFAULT '0' NOT NULL, keep_seconds BIGINT, planned_epochs BIGINT DEFAULT '0' NOT NULL, expires_at BIGINT, claimed_at BIGINT, ran_ms BIGINT DEFAULT '0' NOT NULL, retry_of VARCHAR(40), traceparent VARCHAR(55), tracestate VARCHAR(512), 
	CONSTRAINT jobs_pk PRIMARY KEY (id)
);
INSERT INTO "jobs" VALUES('job_01M8QDJY69CM9NXE1V2JW83Z5A','rows','succeeded','{"name": "rows", "labels": {}, "resources": {"device": "auto", "devices": 1}, "kind": "check", "upload_sha256": "e07200eb7f3471eec4773251319141b6086213b5b115537b327ef04c496be73a", "test": 0.2, "broken": "refuse", "priority": 0, "webhooks": []}','','','auto',6,6,1,0,1,'worker-1',NULL,0,0,'{"phase": "check", "repeat": 0, "epoch": 0, "step": 90, "steps": 90, "fraction": 1.0, "seconds_remaining": 0.0}',NULL,'completed','',1796082333901,1796082333901,1796082333956,1796082338133,'local',0,NULL,0,NULL,NULL,4177,NULL,'00-b44c7419fe54c59ebdb86433c67030ab-37cc9a811b58db43-01',NULL);
INSERT INTO "jobs" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','trained','succeeded','{"kind": "distill", "name": "trained", "dataset": {"name": "uploaded", "params": {"id": "ds_01M8QDJY6G5C18JMQCR0BBAJ4R", "height": 6, "width": 6, "sha256": "275bb6a52d4b39860344431adcdad3405d6cf9a9a2a503aa98affb178e3e42e1", "layout": "arrays", "channels": 1, "classes": ["top", "middle", "bottom"], "train": 72}, "validation": 0.1}, "teacher": {"model": "mlp", "params": {"num_classes": 3, "in_channels": 1, "hidden": [8], "dropout": 0.0}, "training": {"epochs": 2, "batch_size": 128, "optimizer": {"name": "adam", "lr": 0.001, "weight_decay": 0.0, "betas": [0.9, 0.999], "eps": 1e-08}, "schedule": {"name": "constant", "warmup_epochs": 0.0}, "augmentation": [], "precision": "auto", "label_smoothing": 0.0, "keep": "best", "snapshots": [], "head_lr_factor": 1.0, "compile": false}, "seed": 0, "per_repeat": false}, "student": {"model": "mlp", "params": {"num_classes": 3, "in_channels": 1, "hidden": [4], "dropout": 0.1}}, "losses": [{"kind": "kl", "weight": 0.9, "warmup_epochs": 0.0, "standardize": false, "temperature": 3.0}], "ce_weight": 0.1, "training": {"epochs": 2, "batch_size": 32, "optimizer": {"name": "adam", "lr": 0.001, "weight_decay": 0.0, "betas": [0.9, 0.999], "eps": 1e-08}, "schedule": {"name": "constant", "warmup_epochs": 0.0}, "augmentation": [], "precision": "auto", "label_smoothing": 0.0, "keep": "best", "snapshots": [], "head_lr_factor": 1.0, "compile": false}, "baseline": true, "seed": 0, "repeats": 2, "labels": {}, "resources": {"device": "auto", "devices": 1}, "teacher_cache": "auto", "export": [], "priority": 0, "webhooks": []}','ds_01M8QDJY6G5C18JMQCR0BBAJ4R','mlp','auto',6,29,1,0,1,'worker-1',NULL,0,0,'{"phase": "student", "repeat": 1, "epoch": 2, "step": 0, "steps": 2, "fraction": 1.0, "seconds_remaining": 0.0}','{"phase": "student", "repeat": 1, "epoch": 2, "train_loss": 0.22759824991226196, "val_loss": 1.1080127443586076, "val_accuracy": 0.42857142857142855, "lr": 0.001, "seconds": 0.00877988499996718, "images_per_second": 7289.389325741651}','completed','',1796082338276,1796082338276,1796082338305,1796082350719,'local',0,NULL,10,NULL,NULL,12414,NULL,'00-83422b7b8de4c3fea1e3159b62623d4a-98e20022e49144c0-01',NULL);
INSERT INTO "jobs" VALUES('job_01M8QDKET8CGGK9PZ4SHESFAWM','sent','succeeded','{"name": "sent", "labels": {}, "resources": {"device": "auto", "devices": 1}, "params": {}, "kind": "register", "upload_sha256": "04fedd0ded7f6603a7618e7c13bccb460a331ba7a4b0c9f267ccce46e10c632e", "format": "safetensors", "dataset": {"name": "uploaded", "params": {"id": "ds_01M8QDJY6G5C18JMQCR0BBAJ4R", "height": 6, "width": 6, "sha256": "275bb6a52d4b39860344431adcdad3405d6cf9a9a2a503aa98affb178e3e42e1", "layout": "arrays", "channels": 1, "classes": ["top", "middle", "bottom"], "train": 72}}, "priority": 0, "webhooks": []}','ds_01M8QDJY6G5C18JMQCR0BBAJ4R','','auto',8,6,1,0,1,'worker-1',NULL,0,0,'{"phase": "register", "repeat": 0, "epoch": 0, "step": 18, "steps": 18, "fraction": 1.0, "seconds_remaining": 0.0}',NULL,'completed','',1796082350921,1796082350921,1796082350942,1796082361999,'local',0,NULL,0,NULL,NULL,11057,NULL,'00-7833337c80d6502fda0cc4348179ebf7-b8ad057a226ca302-01',NULL);
INSERT INTO "jobs" VALUES('job_01M8QDKSTG24P881KZYWW99R00','','succeeded','{"name": "", "labels": {}, "resources": {"device": "auto", "devices": 1}, "kind": "evaluate", "dataset": {"name": "uploaded", "params": {"id": "ds_01M8QDJY6G5C18JMQCR0BBAJ4R", "height": 6, "width": 6, "sha256": "275bb6a52d4b39860344431adcdad3405d6cf9a9a2a503aa98affb178e3e42e1", "layout": "arrays", "channels": 1, "classes": ["top", "middle", "bottom"], "train": 72}}, "model": {"job": "job_01M8QDK2F4RZP0DJ576QGZ9J62", "role": "student"}, "priority": 0, "webhooks": []}','ds_01M8QDJY6G5C18JMQCR0BBAJ4R','','auto',7,6,1,0,1,'worker-1',NULL,0,0,'{"phase": "evaluate", "repeat": 0, "epoch": 0, "step": 18, "steps": 18, "fraction": 1.0, "seconds_remaining": 0.0}',NULL,'completed','',1796082362192,1796082362192,1796082362224,1796082372936,'local',0,NULL,0,NULL,NULL,10712,NULL,'00-e4a01fd43c12a167170c22826f575297-b125007ce6684ca3-01',NULL);
INSERT INTO "jobs" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','paused','paused','{"kind": "distill", "name": "paused", "dataset": {"name": "uploaded", "params": {"id": "ds_01M8QDJY6G5C18JMQCR0BBAJ4R", "height": 6, "width": 6, "sha256": "275bb6a52d4b39860344431adcdad3405d6cf9a9a2a503aa98affb178e3e42e1", "layout": "arrays", "channels": 1, "classes": ["top", "middle", "bottom"], "train": 72}, "validation": 0.1}, "teacher": {"model": "mlp", "params": {"num_classes": 3, "in_channels": 1, "hidden": [8], "dropout": 0.0}, "training": {"epochs": 2, "batch_size": 128, "optimizer": {"name": "adam", "lr": 0.001, "weight_decay": 0.0, "betas": [0.9, 0.999], "eps": 1e-08}, "schedule": {"name": "constant", "warmup_epochs": 0.0}, "augmentation": [], "precision": "auto", "label_smoothing": 0.0, "keep": "best", "snapshots": [], "head_lr_factor": 1.0, "compile": false}, "seed": 0, "per_repeat": false}, "student": {"model": "mlp", "params": {"num_classes": 3, "in_channels": 1, "hidden": [4], "dropout": 0.1}}, "losses": [{"kind": "kl", "weight": 0.9, "warmup_epochs": 0.0, "standardize": false, "temperature": 3.0}], "ce_weight": 0.1, "training": {"epochs": 24, "batch_size": 1, "optimizer": {"name": "adam", "lr": 0.001, "weight_decay": 0.0, "betas": [0.9, 0.999], "eps": 1e-08}, "schedule": {"name": "constant", "warmup_epochs": 0.0}, "augmentation": [], "precision": "auto", "label_smoothing": 0.0, "keep": "best", "snapshots": [], "head_lr_factor": 1.0, "compile": false}, "baseline": true, "seed": 0, "repeats": 1, "labels": {}, "resources": {"device": "auto", "devices": 1}, "teacher_cache": "auto", "export": [], "priority": 0, "webhooks": []}','ds_01M8QDJY6G5C18JMQCR0BBAJ4R','mlp','auto',15,63,1,0,1,NULL,NULL,0,0,'{"phase": "student", "repeat": 0, "epoch": 19, "step": 0, "steps": 65, "fraction": 0.875, "seconds_remaining": 0.7917613874602767}','{"phase": "student", "repeat": 0, "epoch": 18, "train_loss": 0.11900455951690674, "val_loss": 1.1078951699393136, "val_accuracy": 0.2857142857142857, "lr": 0.001, "seconds": 0.15157713500047976, "images_per_second": 428.8245717257703}',NULL,NULL,1796082373104,1796082373104,1796082373135,NULL,'local',0,NULL,50,NULL,NULL,9519,NULL,'00-dc36cdeec3fd6b7c608d2ea682b5904c-79348b269a9e077b-01',NULL);
CREATE TABLE metrics (
	job_id VARCHAR(40) NOT NULL, 
	phase VARCHAR(16) NOT NULL, 
	repeat INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	"values" JSON NOT NULL, 
	CONSTRAINT metrics_pk PRIMARY KEY (job_id, phase, repeat, epoch), 
	CONSTRAINT metrics_job_id_fk FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
INSERT INTO "metrics" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','teacher',0,1,'{"train_loss": 1.2367269662710336, "val_loss": 1.2526423590523856, "val_accuracy": 0.2857142857142857, "lr": 0.001, "seconds": 0.0033915060012077447, "images_per_second": 19165.527048117543}');
INSERT INTO "metrics" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','teacher',0,2,'{"train_loss": 1.2251836923452524, "val_loss": 1.244377953665597, "val_accuracy": 0.2857142857142857, "lr": 0.001, "seconds": 0.0013016129996685777, "images_per_second": 49938.03843120081}');
INSERT INTO "metrics" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','baseline',0,1,'{"train_loss": 1.1647266149520874, "val_loss": 1.0900465420314245, "val_accuracy": 0.42857142857142855, "lr": 0.001, "seconds": 0.0066957310009456705, "images_per_second": 9558.329029490726}');
INSERT INTO "metrics" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','baseline',0,2,'{"train_loss": 1.1279082298278809, "val_loss": 1.077373845236642, "val_accuracy": 0.42857142857142855, "lr": 0.001, "seconds": 0.0017175900011352496, "images_per_second": 37261.51174476964}');
INSERT INTO "metrics" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','student',0,1,'{"train_loss": 0.28598228096961975, "val_loss": 1.105811323438372, "val_accuracy": 0.42857142857142855, "lr": 0.001, "seconds": 0.013013591000344604, "images_per_second": 4917.935410626111}');
INSERT INTO "metrics" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','student',0,2,'{"train_loss": 0.27754540741443634, "val_loss": 1.1065707887922014, "val_accuracy": 0.42857142857142855, "lr": 0.001, "seconds": 0.0022155700007715495, "images_per_second": 28886.471642833516}');
INSERT INTO "metrics" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','baseline',1,1,'{"train_loss": 1.2123945355415344, "val_loss": 1.099250657217843, "val_accuracy": 0.42857142857142855, "lr": 0.001, "seconds": 0.004590856000504573, "images_per_second": 13940.755273736722}');
INSERT INTO "metrics" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','baseline',1,2,'{"train_loss": 1.188311219215393, "val_loss": 1.0869237354823522, "val_accuracy": 0.42857142857142855, "lr": 0.001, "seconds": 0.0015354900006059324, "images_per_second": 41680.505880692435}');
INSERT INTO "metrics" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','student',1,1,'{"train_loss": 0.24545210599899292, "val_loss": 1.1093237059456962, "val_accuracy": 0.42857142857142855, "lr": 0.001, "seconds": 0.007335582000450813, "images_per_second": 8724.597447900771}');
INSERT INTO "metrics" VALUES('job_01M8QDK2F4RZP0DJ576QGZ9J62','student',1,2,'{"train_loss": 0.22759824991226196, "val_loss": 1.1080127443586076, "val_accuracy": 0.42857142857142855, "lr": 0.001, "seconds": 0.00877988499996718, "images_per_second": 7289.389325741651}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,1,'{"train_loss": 1.0834346459462092, "val_loss": 0.9506234441484723, "val_accuracy": 0.42857142857142855, "lr": 0.001, "seconds": 0.08479169000020192, "images_per_second": 766.5845556309257}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,2,'{"train_loss": 0.842597693663377, "val_loss": 0.770468030657087, "val_accuracy": 0.7142857142857143, "lr": 0.001, "seconds": 0.09448017399881792, "images_per_second": 687.9750242713698}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,3,'{"train_loss": 0.6710858303766984, "val_loss": 0.5929837908063617, "val_accuracy": 0.8571428571428571, "lr": 0.001, "seconds": 0.09129764899989823, "images_per_second": 711.9569968343046}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,4,'{"train_loss": 0.49807241627803217, "val_loss": 0.43403332574026926, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.09374733500044385, "images_per_second": 693.3530430458877}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,5,'{"train_loss": 0.35805556980463177, "val_loss": 0.3273508208138602, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.086921991998679, "images_per_second": 747.7969441955246}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,6,'{"train_loss": 0.23289034730539873, "val_loss": 0.24405108179364884, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.13262269299957552, "images_per_second": 490.11220123699377}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,7,'{"train_loss": 0.18071301510700813, "val_loss": 0.18820956775120326, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.0849708660007309, "images_per_second": 764.9680774048}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,8,'{"train_loss": 0.1852360494291553, "val_loss": 0.14971729687282018, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.09328837499924703, "images_per_second": 696.7642002610148}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,9,'{"train_loss": 0.14364436875598935, "val_loss": 0.12148216792515346, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.10257681500115723, "images_per_second": 633.671458791801}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,10,'{"train_loss": 0.08855525897815823, "val_loss": 0.09959496770586286, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.09392139400006272, "images_per_second": 692.0680926004633}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,11,'{"train_loss": 0.12447978823374097, "val_loss": 0.08521160057612828, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.11318063799990341, "images_per_second": 574.3031771923345}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,12,'{"train_loss": 0.12806535769039049, "val_loss": 0.07484485421861921, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.08945936900090601, "images_per_second": 726.5868374204797}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,13,'{"train_loss": 0.04864703209963269, "val_loss": 0.06525378567831856, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.08764782999969611, "images_per_second": 741.6042131359711}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,14,'{"train_loss": 0.10454478628503588, "val_loss": 0.057980473552431376, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.10564612199959811, "images_per_second": 615.2615805457324}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,15,'{"train_loss": 0.2231399373921494, "val_loss": 0.052513143845966885, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.08080856500055233, "images_per_second": 804.3701803089278}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,16,'{"train_loss": 0.1382355801922341, "val_loss": 0.046538472175598145, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.09392273599951295, "images_per_second": 692.0582041001985}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,17,'{"train_loss": 0.09549103403069939, "val_loss": 0.042441687413624356, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.1166425880001043, "images_per_second": 557.2578687978175}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,18,'{"train_loss": 0.11893834865544564, "val_loss": 0.038790106773376465, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.09860843299975386, "images_per_second": 659.1728315991214}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,19,'{"train_loss": 0.1540828734304971, "val_loss": 0.03552119433879852, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.10199192700019921, "images_per_second": 637.305342802995}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,20,'{"train_loss": 0.06212815502345061, "val_loss": 0.03278029603617532, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.09683714299899293, "images_per_second": 671.2300465191954}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,21,'{"train_loss": 0.08188728969588947, "val_loss": 0.03010733425617218, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.10025639000014053, "images_per_second": 648.3377269010872}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,22,'{"train_loss": 0.14847414686810226, "val_loss": 0.027214469654219493, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.12492381300035049, "images_per_second": 520.3171312087443}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,23,'{"train_loss": 0.04191633551247203, "val_loss": 0.025361725262233188, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.09180485199976829, "images_per_second": 708.0235802805287}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','baseline',0,24,'{"train_loss": 0.05890435658981844, "val_loss": 0.023696358714784895, "val_accuracy": 1.0, "lr": 0.001, "seconds": 0.11259718200017232, "images_per_second": 577.2791009982872}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','student',0,1,'{"train_loss": 0.25324409340436643, "val_loss": 1.1303096498761858, "val_accuracy": 0.2857142857142857, "lr": 0.001, "seconds": 0.13872705600078916, "images_per_second": 468.5459482368763}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','student',0,2,'{"train_loss": 0.19523841119729557, "val_loss": 1.1564982278006417, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.11811893999947642, "images_per_second": 550.2927811601435}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','student',0,3,'{"train_loss": 0.17163365208185635, "val_loss": 1.1743078231811523, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.11522400199828553, "images_per_second": 564.1185766223184}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','student',0,4,'{"train_loss": 0.16018577940188922, "val_loss": 1.1620584215436662, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.1878299700001662, "images_per_second": 346.0576605530123}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','student',0,5,'{"train_loss": 0.15238242699549748, "val_loss": 1.150002888270787, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.11473064999881899, "images_per_second": 566.5443366761114}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','student',0,6,'{"train_loss": 0.1453564303425642, "val_loss": 1.1336773463657923, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.1099828599999455, "images_per_second": 591.0011796386474}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','student',0,7,'{"train_loss": 0.13371287068495383, "val_loss": 1.1215376172746931, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.10651689400037867, "images_per_second": 610.231837963365}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','student',0,8,'{"train_loss": 0.12943364244240982, "val_loss": 1.1205809456961495, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.045745908999379026, "images_per_second": 1420.8920845989164}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','student',0,9,'{"train_loss": 0.12318481986339276, "val_loss": 1.1190220287867956, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.04520751899872266, "images_per_second": 1437.8139176767602}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','student',0,10,'{"train_loss": 0.12407751679420471, "val_loss": 1.1147435733250208, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.11906047800039232, "images_per_second": 545.9410300686498}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','student',0,11,'{"train_loss": 0.12428236592274446, "val_loss": 1.11446898324149, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.08134339000025648, "images_per_second": 799.0815234009186}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','student',0,12,'{"train_loss": 0.1208466235261697, "val_loss": 1.1211738586425781, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.11541432000012719, "images_per_second": 563.1883461248862}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','student',0,13,'{"train_loss": 0.11736559031101373, "val_loss": 1.1138130596705846, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.12253230299938878, "images_per_second": 530.4723604217595}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','student',0,14,'{"train_loss": 0.12211761050499402, "val_loss": 1.1152122361319405, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.11053010300020105, "images_per_second": 588.0750875612752}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','student',0,15,'{"train_loss": 0.12444017907747855, "val_loss": 1.1163206781659807, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.12997663500027556, "images_per_second": 500.0898815380333}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','student',0,16,'{"train_loss": 0.11986476561197867, "val_loss": 1.1180404254368372, "val_accuracy": 0.14285714285714285, "lr": 0.001, "seconds": 0.10493638800107874, "images_per_second": 619.422883121647}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','student',0,17,'{"train_loss": 0.11793783673873315, "val_loss": 1.108576774597168, "val_accuracy": 0.2857142857142857, "lr": 0.001, "seconds": 0.14257221499974548, "images_per_second": 455.90930883774257}');
INSERT INTO "metrics" VALUES('job_01M8QDM4FGE4AJ8F54BDAB5Q8R','student',0,18,'{"train_loss": 0.11900455951690674, "val_loss": 1.1078951699393136, "val_accuracy": 0.2857142857142857, "lr": 0.001, "seconds": 0.15157713500047976, "images_per_second": 428.8245717257703}');
CREATE TABLE models (
	id VARCHAR(40) NOT NULL, 
	owner VARCHAR(100) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	job_id VARCHAR(40) NOT NULL, 
	role VARCHAR(16), 
	created_at BIGINT NOT NULL, 
	CONSTRAINT models_pk PRIMARY KEY (id), 
	CONSTRAINT models_job_id_fk FOREIGN KEY(job_id) REFERENCES jobs (id)
);
INSERT INTO "models" VALUES('mdl_01M8QDKETAD43QWMPY14GM4AY1','local','sent','job_01M8QDKET8CGGK9PZ4SHESFAWM',NULL,1796082350926);
CREATE TABLE owners (
	name VARCHAR(100) NOT NULL, 
	served_at BIGINT, 
	CONSTRAINT owners_pk PRIMARY KEY (name)
);
INSERT INTO "owners" VALUES('local',1796082373136);
CREATE TABLE uploads (
	id VARCHAR(40) NOT NULL, 
	owner VARCHAR(100) NOT NULL, 
	created_at BIGINT NOT NULL, 
	CONSTRAINT uploads_pk PRIMARY KEY (id)
);
CREATE TABLE workers (
	id VARCHAR(200) NOT NULL, 
	device VARCHAR(16) NOT NULL, 
	job_id VARCHAR(40), 
	started_at BIGINT NOT NULL, 
	seen_at BIGINT NOT NULL, 
	CONSTRAINT workers_pk PRIMARY KEY (id)
);
CREATE INDEX jobs_state_lease ON jobs (state, lease_expires);
CREATE INDEX jobs_state_id ON jobs (state, id);
CREATE INDEX job_labels_key_value ON job_labels ("key", value, job_id);
CREATE INDEX jobs_queue ON jobs (state, owner, device, rank, id);
CREATE INDEX jobs_owner ON jobs (owner, id);
CREATE INDEX jobs_finished ON jobs (finished_at);
CREATE INDEX jobs_expires ON jobs (expires_at);
CREATE UNIQUE INDEX jobs_retry_of ON jobs (retry_of);
CREATE INDEX idempotency_keys_job_id ON idempotency_keys (job_id);
CREATE INDEX deliveries_state_due ON deliveries (state, due_at);
CREATE INDEX deliveries_settled ON deliveries (settled_at);
CREATE INDEX deliveries_job_id ON deliveries (job_id);
CREATE INDEX datasets_owner ON datasets (owner, id);
CREATE INDEX datasets_job_id ON datasets (job_id);
CREATE INDEX models_owner ON models (owner, id);
CREATE INDEX models_job_id ON models (job_id);
COMMIT;
